// libmosquitto: the MQTT client library of the Mosquitto project.
#pragma once
#include <mosquitto.h>
#include <mqtt_protocol.h>

// libmosquitto: the MQTT client library of the Mosquitto project; and OpenSSL, because the library
// itself says no more than "A TLS error occurred" (weir_tls.h).
#pragma once
#include <mosquitto.h>
#include <mqtt_protocol.h>
#include "weir_tls.h"

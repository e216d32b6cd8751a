// libcurl: HTTP to object stores.
#pragma once
#include <curl/curl.h>

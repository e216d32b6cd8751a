// libcurl: HTTP to object stores.
//
// curl_easy_setopt and curl_easy_getinfo take C varargs, which Swift cannot call: there is one wrapper
// here for each type of argument. Constants that are casts, which Swift does not see, are functions.
#pragma once
#include <curl/curl.h>

static inline CURLcode weir_curl_global_init(void) { return curl_global_init(CURL_GLOBAL_DEFAULT); }

static inline CURLcode weir_curl_set_long(CURL *handle, CURLoption option, long value) {
  return curl_easy_setopt(handle, option, value);
}

static inline CURLcode weir_curl_set_offset(CURL *handle, CURLoption option, curl_off_t value) {
  return curl_easy_setopt(handle, option, value);
}

static inline CURLcode weir_curl_set_string(CURL *handle, CURLoption option, const char *value) {
  return curl_easy_setopt(handle, option, value);
}

static inline CURLcode weir_curl_set_error_buffer(CURL *handle, char *buffer) {
  return curl_easy_setopt(handle, CURLOPT_ERRORBUFFER, buffer);
}

static inline CURLcode weir_curl_set_headers(CURL *handle, struct curl_slist *headers) {
  return curl_easy_setopt(handle, CURLOPT_HTTPHEADER, headers);
}

/// Sets all callbacks of a transfer; each gets `context` as its last (or first) argument.
static inline CURLcode weir_curl_set_callbacks(
    CURL *handle, void *context,
    size_t (*header)(char *bytes, size_t size, size_t count, void *context),
    size_t (*write)(char *bytes, size_t size, size_t count, void *context),
    size_t (*read)(char *bytes, size_t size, size_t count, void *context),
    int (*seek)(void *context, curl_off_t offset, int origin),
    int (*progress)(void *context, curl_off_t, curl_off_t, curl_off_t, curl_off_t)) {
  CURLcode code = curl_easy_setopt(handle, CURLOPT_HEADERFUNCTION, header);
  if (code == CURLE_OK) code = curl_easy_setopt(handle, CURLOPT_HEADERDATA, context);
  if (code == CURLE_OK) code = curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, write);
  if (code == CURLE_OK) code = curl_easy_setopt(handle, CURLOPT_WRITEDATA, context);
  if (code == CURLE_OK) code = curl_easy_setopt(handle, CURLOPT_READFUNCTION, read);
  if (code == CURLE_OK) code = curl_easy_setopt(handle, CURLOPT_READDATA, context);
  if (code == CURLE_OK) code = curl_easy_setopt(handle, CURLOPT_SEEKFUNCTION, seek);
  if (code == CURLE_OK) code = curl_easy_setopt(handle, CURLOPT_SEEKDATA, context);
  if (code == CURLE_OK) code = curl_easy_setopt(handle, CURLOPT_XFERINFOFUNCTION, progress);
  if (code == CURLE_OK) code = curl_easy_setopt(handle, CURLOPT_XFERINFODATA, context);
  return code;
}

static inline CURLcode weir_curl_get_long(CURL *handle, CURLINFO info, long *value) {
  return curl_easy_getinfo(handle, info, value);
}

static inline long weir_curl_auth_negotiate(void) { return (long)CURLAUTH_NEGOTIATE; }
static inline size_t weir_curl_read_abort(void) { return CURL_READFUNC_ABORT; }

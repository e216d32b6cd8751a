// A TLS context for libmosquitto that remembers why a handshake failed. The library accepts a context
// made elsewhere (MOSQ_OPT_SSL_CTX); this one verifies certificate and name inside OpenSSL, notes the
// first certificate that did not pass and the alert that the broker sent, and asks for the broker by
// its name (SNI) although the library connects to a numeric address.
#pragma once
#include <mosquitto.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum weir_tls_step {
    WEIR_TLS_OK = 0,
    WEIR_TLS_LIBRARY,
    WEIR_TLS_CA_FILE,
    WEIR_TLS_CERT_FILE,
    WEIR_TLS_KEY_FILE,
    WEIR_TLS_KEY_MATCH,
};

/// The context and what its last handshake told.
struct weir_tls {
    SSL_CTX *context;
    /// The broker's name; empty for a numeric address, which is never sent as a name.
    char sni[256];
    /// X509_V_ERR_… of the first certificate that did not pass, or X509_V_OK.
    int verify_error;
    /// That certificate: its subject, its first and last day as YYYYMMDD.
    char subject[256];
    char not_before[16];
    char not_after[16];
    /// The fatal alert that the broker sent (RFC 8446, section 6), or -1.
    int alert;
    /// Whether the broker has asked for a client certificate.
    int certificate_wanted;
};

static inline void weir_tls_day(const ASN1_TIME *time, char day[16]) {
    struct tm parts;
    day[0] = 0;
    if (ASN1_TIME_to_tm(time, &parts) == 1) strftime(day, 16, "%Y%m%d", &parts);
}

static int weir_tls_verify(int passed, X509_STORE_CTX *store) {
    SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
    struct weir_tls *tls = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
    if (passed || tls->verify_error != X509_V_OK) return passed;
    X509 *certificate = X509_STORE_CTX_get_current_cert(store);
    tls->verify_error = X509_STORE_CTX_get_error(store);
    if (certificate) {
        X509_NAME_oneline(X509_get_subject_name(certificate), tls->subject, sizeof tls->subject);
        weir_tls_day(X509_get0_notBefore(certificate), tls->not_before);
        weir_tls_day(X509_get0_notAfter(certificate), tls->not_after);
    }
    return 0;
}

static void weir_tls_info(const SSL *ssl, int where, int value) {
    struct weir_tls *tls = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
    if (where & SSL_CB_HANDSHAKE_START) {
        // The library has set the numeric address as name just before; this comes before the ClientHello.
        SSL_set_tlsext_host_name((SSL *)ssl, tls->sni[0] ? tls->sni : NULL);
    } else if ((where & SSL_CB_READ_ALERT) == SSL_CB_READ_ALERT && (value >> 8) == SSL3_AL_FATAL) {
        tls->alert = value & 0xFF;
    }
}

static int weir_tls_certificate_wanted(SSL *ssl, void *user) {
    (void)ssl;
    ((struct weir_tls *)user)->certificate_wanted = 1;
    return 1;
}

/// A key file with a passphrase is refused: there is nobody to ask for it.
static int weir_tls_no_passphrase(char *buffer, int size, int writing, void *user) {
    (void)buffer, (void)size, (void)writing, (void)user;
    return -1;
}

static inline void weir_tls_free(struct weir_tls *tls) {
    if (!tls) return;
    SSL_CTX_free(tls->context);
    free(tls);
}

/// Makes a context for a broker named `server_name`. `ca_file` NULL takes the system's authorities,
/// `cert_file` NULL sends no client certificate. On failure `*step` says what failed and NULL is
/// returned; the reason stays in OpenSSL's error queue (weir_tls_reason).
static inline struct weir_tls *weir_tls_new(
    const char *server_name, const char *ca_file, const char *cert_file, const char *key_file,
    enum weir_tls_step *step) {
    ERR_clear_error();
    *step = WEIR_TLS_LIBRARY;
    struct weir_tls *tls = calloc(1, sizeof *tls);
    if (!tls || !(tls->context = SSL_CTX_new(TLS_client_method()))) goto failed;
    SSL_CTX *context = tls->context;
    tls->alert = -1;
    SSL_CTX_set_app_data(context, tls);
    SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_default_passwd_cb(context, weir_tls_no_passphrase);
    SSL_CTX_set_info_callback(context, weir_tls_info);
    SSL_CTX_set_cert_cb(context, weir_tls_certificate_wanted, tls);
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, weir_tls_verify);
    X509_VERIFY_PARAM *param = SSL_CTX_get0_param(context);
    if (X509_VERIFY_PARAM_set1_ip_asc(param, server_name) != 1) {
        X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
        if (X509_VERIFY_PARAM_set1_host(param, server_name, 0) != 1) goto failed;
        strncpy(tls->sni, server_name, sizeof tls->sni - 1);
    }
    ERR_clear_error();
    *step = WEIR_TLS_CA_FILE;
    int loaded = ca_file ? SSL_CTX_load_verify_file(context, ca_file)
                         : SSL_CTX_set_default_verify_paths(context);
    if (loaded != 1) goto failed;
    if (cert_file) {
        *step = WEIR_TLS_CERT_FILE;
        if (SSL_CTX_use_certificate_chain_file(context, cert_file) != 1) goto failed;
        *step = WEIR_TLS_KEY_FILE;
        if (SSL_CTX_use_PrivateKey_file(context, key_file ? key_file : cert_file, SSL_FILETYPE_PEM) != 1) {
            if (ERR_GET_REASON(ERR_peek_last_error()) == X509_R_KEY_VALUES_MISMATCH) *step = WEIR_TLS_KEY_MATCH;
            goto failed;
        }
        *step = WEIR_TLS_KEY_MATCH;
        if (SSL_CTX_check_private_key(context) != 1) goto failed;
    }
    *step = WEIR_TLS_OK;
    return tls;
failed:
    weir_tls_free(tls);
    return NULL;
}

/// What OpenSSL noted first on this thread, or NULL; clears its error queue.
static inline const char *weir_tls_reason(void) {
    unsigned long code = ERR_get_error();
    const char *reason = NULL;
    if (code) reason = ERR_SYSTEM_ERROR(code) ? strerror(ERR_GET_REASON(code)) : ERR_reason_error_string(code);
    ERR_clear_error();
    return reason;
}

/// Hands the context to the library, which then takes no other TLS settings.
static inline int weir_tls_attach(struct mosquitto *client, struct weir_tls *tls) {
    int rc = mosquitto_int_option(client, MOSQ_OPT_SSL_CTX_WITH_DEFAULTS, 0);
    return rc ? rc : mosquitto_void_option(client, MOSQ_OPT_SSL_CTX, tls->context);
}

/// Writes a PINGREQ past the library's queue, for when nothing in that queue may be written or nothing
/// is read. Only between two packets of the library. Returns 1 when it was taken.
static inline int weir_mqtt_ping(struct mosquitto *client) {
    static const unsigned char packet[2] = {0xC0, 0x00};
    SSL *ssl = mosquitto_ssl_get(client);
    if (ssl) return SSL_write(ssl, packet, sizeof packet) == sizeof packet;
    return send(mosquitto_socket(client), packet, sizeof packet, MSG_DONTWAIT | MSG_NOSIGNAL) == sizeof packet;
}

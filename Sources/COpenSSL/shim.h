// OpenSSL: signatures by an RSA key, for the tokens of Google's service accounts. The library is in the
// process already (libcurl and libmosquitto bring it), so this costs no further dependency.
#pragma once
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

/// A key with a passphrase is refused: there is nobody to ask for it.
static int weir_rsa_no_passphrase(char *buffer, int size, int writing, void *user) {
    (void)buffer, (void)size, (void)writing, (void)user;
    return -1;
}

/// An RSA key from PEM text; NULL when the text holds none.
static inline EVP_PKEY *weir_rsa_key(const void *pem, size_t length) {
    BIO *text = BIO_new_mem_buf(pem, (int)length);
    if (!text) return NULL;
    EVP_PKEY *key = PEM_read_bio_PrivateKey(text, NULL, weir_rsa_no_passphrase, NULL);
    BIO_free(text);
    if (key && EVP_PKEY_base_id(key) != EVP_PKEY_RSA) {
        EVP_PKEY_free(key);
        key = NULL;
    }
    ERR_clear_error();
    return key;
}

/// Bytes of a signature by `key`.
static inline size_t weir_rsa_signature_bytes(const EVP_PKEY *key) { return (size_t)EVP_PKEY_size(key); }

/// RSASSA-PKCS1-v1_5 with SHA-256 (RS256 of RFC 7518) into `signature`, which has room for
/// weir_rsa_signature_bytes. Returns 1 when it worked.
static inline int weir_rsa_sign_sha256(
    EVP_PKEY *key, const void *message, size_t length, unsigned char *signature) {
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    size_t written = weir_rsa_signature_bytes(key);
    int worked = context && EVP_DigestSignInit(context, NULL, EVP_sha256(), NULL, key) == 1 &&
                 EVP_DigestSign(context, signature, &written, message, length) == 1;
    EVP_MD_CTX_free(context);
    ERR_clear_error();
    return worked;
}

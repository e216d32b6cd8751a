// toml++ (Debian's libtomlplusplus-dev, header only) behind a C face: a text in, a flat list of nodes
// out. Every node knows the byte at which its key and its value begin in the text, so that complaints
// about a configuration can point at it. No C++ exception crosses this line.

#pragma once
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/// What a node is.
typedef enum weir_toml_kind {
    WEIR_TOML_TABLE = 0,
    WEIR_TOML_ARRAY = 1,
    WEIR_TOML_STRING = 2,
    WEIR_TOML_INTEGER = 3,
    WEIR_TOML_FLOAT = 4,
    WEIR_TOML_BOOLEAN = 5,
    /// A date, a time or both; `text` is its canonical spelling.
    WEIR_TOML_DATETIME = 6,
} weir_toml_kind;

/// One node, in the order of a walk that visits a table or an array before its children.
typedef struct weir_toml_node {
    uint32_t kind;
    /// Children of a table or an array; they follow, each with its own descendants.
    uint32_t child_count;
    /// Where the key begins in the text; equal to `value_at` for elements of arrays.
    uint32_t key_at;
    /// Where the value begins in the text: its first quote, digit or bracket, or the header of a table.
    uint32_t value_at;
    /// The key in a table; NULL for elements of arrays and the root.
    const char *key;
    size_t key_length;
    /// The text of a string or a datetime, not terminated.
    const char *text;
    size_t text_length;
    /// The value of an integer or a boolean.
    int64_t integer;
    /// The value of a float.
    double number;
} weir_toml_node;

/// A parsed text or the reason why there is none.
typedef struct weir_toml_document weir_toml_document;

/// Parses `length` bytes of UTF-8 without a byte order mark; NULL only when memory runs out.
///
/// The caller bounds the text to 2 GiB and the parts of a dotted key, because destroying nested tables
/// recurses.
weir_toml_document *weir_toml_parse(const char *text, size_t length);

/// Frees a document and all that its nodes point to.
void weir_toml_free(weir_toml_document *document);

/// The nodes, the root table first; 0 of them when parsing failed.
const weir_toml_node *weir_toml_nodes(const weir_toml_document *document, size_t *count);

/// Why parsing failed, terminated, and where in the text; NULL when it did not.
const char *weir_toml_error(const weir_toml_document *document, size_t *at);

#ifdef __cplusplus
}
#endif

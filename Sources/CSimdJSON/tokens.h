// simdjson's first stage: the positions of all brackets, colons, commas, opening quotes and scalars
// of a run of text, found with the processor's vector instructions, and the text checked to be
// UTF-8 without control characters inside strings.
//
// weir brings its own second stage (walk.h) instead of simdjson's on-demand documents. Those do not
// look at what they skip, so whether a row is rejected would depend on the columns that a query
// reads; and they cannot say that a key came twice. The first stage over a chunk of many documents
// costs a third of what it costs document by document.

#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include <simdjson.h>

namespace weir {

/// The position of a token, relative to the text's start.
using Token = uint32_t;

/// The tokens of one run of text.
class Tokens {
public:
    /// Texts up to this length always fit; memory for longer ones is given back by `shrink`.
    explicit Tokens(size_t usual_length);

    /// Finds the tokens of a text; at most `simdjson::SIMDJSON_MAXSIZE_BYTES` long. `length` > 0.
    simdjson::error_code scan(const uint8_t *text, size_t length);

    const Token *begin() const { return stage->structural_indexes.get(); }
    /// Behind the last token; there the text's length stands as a token.
    const Token *end() const { return begin() + stage->n_structural_indexes; }

    /// Gives back the memory that an unusually long text took.
    void shrink();

private:
    size_t usual_length;
    std::unique_ptr<simdjson::internal::dom_parser_implementation> stage;
};

}  // namespace weir

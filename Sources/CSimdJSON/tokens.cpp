// The first stage at work: one simdjson parser whose index memory is reused from text to text.

#include "tokens.h"

#include <cstdlib>

namespace weir {

Tokens::Tokens(size_t usual_length) : usual_length(usual_length) {
    const auto code = simdjson::get_active_implementation()->create_dom_parser_implementation(
        usual_length, 1, stage
    );
    if (code != simdjson::SUCCESS) std::abort();
}

simdjson::error_code Tokens::scan(const uint8_t *text, size_t length) {
    if (length > stage->capacity() && stage->set_capacity(length) != simdjson::SUCCESS)
        std::abort();
    stage->n_structural_indexes = 0;
    return stage->stage1(text, length, simdjson::stage1_mode::regular);
}

void Tokens::shrink() {
    if (stage->capacity() > usual_length
        && stage->set_capacity(usual_length) != simdjson::SUCCESS) {
        std::abort();
    }
}

}  // namespace weir

// How messages become chunks of documents.
//
// A message that holds a line feed is recognised by what it holds, and by nothing around it:
// - a line that ends in a bracket, and behind it one that begins with one: lines, each a document
//   (no single JSON text looks so: a comma would stand between);
// - else, valid as one JSON text: one document, spread over lines;
// - else, when a later line begins with an opening bracket at its very start, or the first line is
//   a document of its own: lines, of which some are bad;
// - else one bad document.

#include "reader.h"

#include <cstring>

namespace weir {

static bool is_space(uint8_t c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; }
static bool opens(uint8_t c) { return c == '{' || c == '['; }
static bool closes(uint8_t c) { return c == '}' || c == ']'; }

Reader::Form Reader::form_of(Span span) {
    if (!refused.empty() && refused[span.message] != 0) return Form::refused;
    if (are_lines) return Form::lines;
    if (span.end - span.start > limits.document_bytes_max) return Form::too_large;
    const uint8_t *p = bytes + span.start;
    const uint8_t *end = bytes + span.end;
    while (p < end && is_space(*p)) ++p;
    if (p == end) return Form::blank;
    const void *found = std::memchr(p, '\n', static_cast<size_t>(end - p));
    if (found == nullptr) return Form::single;
    const uint8_t *feed = static_cast<const uint8_t *>(found);
    const uint8_t *next = feed;
    while (next < end && is_space(*next)) ++next;
    if (next == end) return Form::single;
    while (is_space(*feed)) --feed;
    return closes(*feed) && opens(*next) ? Form::lines : form_of_lines(span);
}

Reader::Form Reader::form_of_lines(Span span) {
    if (is_document(span)) return Form::multiline;
    const uint8_t *start = bytes + span.start;
    const uint8_t *end = bytes + span.end;
    while (is_space(*start)) ++start;
    const uint8_t *first_end = nullptr;
    for (const uint8_t *p = start; p < end; ++p) {
        p = static_cast<const uint8_t *>(std::memchr(p, '\n', static_cast<size_t>(end - p)));
        if (p == nullptr) break;
        if (first_end == nullptr) first_end = p;
        if (p + 1 < end && opens(p[1])) return Form::lines;
    }
    const Span first{span.start, static_cast<size_t>(first_end - bytes), span.message};
    return is_document(first) ? Form::lines : Form::multiline;
}

bool Reader::open_chunk() {
    if (lines.start < lines.end) {
        open_lines();
        return true;
    }
    if (message == spans.size()) return false;
    const Span span = spans[message];
    switch (form_of(span)) {
    case Form::lines:
        lines = span;
        ++message;
        if (span.start < span.end) open_lines();
        break;
    case Form::single: open_messages(); break;
    case Form::multiline:
        chunk = Chunk{};
        chunk.at = span.start;
        chunk.end = span.end;
        chunk.message = message++;
        break;
    case Form::refused: reject_message(span, WEIR_JSON_REFUSED); break;
    case Form::blank: reject_message(span, WEIR_JSON_EMPTY); break;
    case Form::too_large: reject_message(span, WEIR_JSON_TOO_LARGE); break;
    }
    return true;
}

void Reader::reject_message(Span span, weir_json_fault fault) {
    ++message;
    took(span.end - span.start);
    reject(span, fault);
}

void Reader::open_lines() {
    const uint8_t *start = bytes + lines.start;
    size_t length = lines.end - lines.start;
    if (length > limits.chunk_bytes) {
        const void *feed = memrchr(start, '\n', limits.chunk_bytes);
        if (feed == nullptr) feed = std::memchr(start, '\n', length);
        if (feed != nullptr)
            length = static_cast<size_t>(static_cast<const uint8_t *>(feed) + 1 - start);
    }
    chunk = Chunk{};
    chunk.is_lines = true;
    chunk.message = lines.message;
    scan_chunk(lines.start, lines.start + length);
    lines.start += length;
}

void Reader::open_messages() {
    const size_t start = spans[message].start;
    chunk = Chunk{};
    chunk.message = message;
    size_t end = start;
    // Messages that are not back to back, or not of this form, end the run.
    for (; message < spans.size(); ++message) {
        const Span span = spans[message];
        if (span.start != end || (end != start && span.end - start > limits.chunk_bytes)) break;
        if (form_of(span) != Form::single) break;
        end = span.end;
    }
    scan_chunk(start, end);
}

void Reader::scan_chunk(size_t start, size_t end) {
    const uint8_t *text = bytes + start;
    const size_t length = end - start;
    chunk.at = start;
    chunk.end = end;
    if (length > limits.chunk_bytes || bulk.scan(text, length) != simdjson::SUCCESS) return;
    chunk.has_tokens = true;
    chunk.view = View{text, start, bulk.end(), std::memchr(text, '\\', length) != nullptr};
    chunk.t = bulk.begin();
}

}  // namespace weir

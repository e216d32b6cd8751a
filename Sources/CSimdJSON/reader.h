// From messages to rows and rejections.
//
// Texts go through the first stage in chunks: a run of whole messages, or a run of whole lines of
// one message. A document that fails in a chunk is decoded again alone, and what that says counts;
// so a reason never depends on a document's neighbours. In a chunk of lines a bad line cannot
// mislead what follows, because a line feed inside a string fails the first stage; then, and behind
// a bad message (no separator stands between messages), the rest of the chunk is decoded document
// by document.
//
// Reading stops between documents, or between the elements of an array of objects, whenever enough
// rows are there, and goes on from there: memory is bounded by one document and one batch.

#pragma once

#include "walk.h"

#include <vector>

namespace weir {

class Reader {
public:
    explicit Reader(const weir_json_limits &limits);

    Walk walk;

    void begin(const weir_json_messages &messages);
    bool next(size_t rows_max);

    /// What the last `next` brought: for each row its message, the rejections, the values nulled.
    std::vector<uint32_t> row_messages;
    /// For each row where its document lies in the messages' bytes.
    std::vector<weir_json_extent> row_extents;
    size_t row_count = 0;
    std::vector<weir_json_rejection> rejections;
    size_t nulled_count = 0;

    /// Gives away a column's memory.
    void take(size_t column, weir_json_values &rows, weir_json_values &elements);
    /// The same of a column with parts, in the order of its description.
    void take_parts(size_t column, weir_json_values *values);

private:
    /// A text in the messages' bytes.
    struct Span {
        size_t start;
        size_t end;
        uint32_t message;
    };

    /// What a message is: nothing, too much, one document in one line, lines that are documents, or
    /// one document in several lines (or nothing that makes sense).
    enum class Form { refused, blank, too_large, single, lines, multiline };

    /// A text whose tokens are known.
    struct View {
        const uint8_t *text = nullptr;
        /// Where the text starts in the messages' bytes.
        size_t start = 0;
        const Token *last = nullptr;
        bool has_escapes = true;
    };

    /// An array of objects whose rows are being read; it was checked as a whole before.
    struct Elements {
        bool is_open = false;
        View view;
        const Token *t = nullptr;
        uint32_t message = 0;
    };

    /// A run of lines or of messages that went through the first stage together.
    struct Chunk {
        bool is_lines = false;
        /// Whether its tokens hold; otherwise its documents are decoded alone.
        bool has_tokens = false;
        View view;
        const Token *t = nullptr;
        /// How far it is read, and where it ends.
        size_t at = 0;
        size_t end = 0;
        /// The message of the lines, or the message to be read next.
        uint32_t message = 0;
    };

    const weir_json_limits limits;
    Tokens bulk;
    Tokens alone;
    const uint8_t *bytes = nullptr;
    bool are_lines = false;
    std::vector<Span> spans;
    std::vector<uint8_t> refused;

    /// The next message that is in no chunk yet.
    uint32_t message = 0;
    /// The lines that are in no chunk yet, of a message that is made of lines.
    Span lines{};
    Chunk chunk;
    Elements elements;

    size_t row_capacity = 0;
    size_t last_row_count = 0;
    /// Input that the current `next` may still take.
    size_t bytes_left = 0;

    bool is_full(size_t rows_max) const {
        return row_count + rejections.size() >= rows_max || bytes_left == 0;
    }
    void took(size_t bytes) { bytes_left -= bytes < bytes_left ? bytes : bytes_left; }

    bool open_chunk();
    void reject_message(Span span, weir_json_fault fault);
    void open_lines();
    void open_messages();
    void scan_chunk(size_t start, size_t end);
    void read_lines(size_t rows_max);
    void read_messages(size_t rows_max);
    void read_elements(size_t rows_max);

    Form form_of(Span span);
    Form form_of_lines(Span span);
    /// Whether the text is one valid object or array.
    bool is_document(Span span);

    void enter(const View &view) { walk.enter(view.text, view.last, view.has_escapes); }
    /// Reads the document that begins at `t` and must end with `span`; returns the token that ends
    /// it, or `view.last`. A row at fault is a rejection, not a failure.
    const Token *document(const View &view, const Token *t, Span span);
    /// Whether `close` ends a document of exactly `span`.
    bool ends_with(const View &view, const Token *close, Span span);
    void document_alone(Span span);
    /// Finds the tokens of one text without its byte order mark and whitespace.
    weir_json_fault scan_alone(Span &span, View &view);

    void begin_row();
    void end_row(Span span);
    void reject(Span span, weir_json_fault fault);
};

}  // namespace weir

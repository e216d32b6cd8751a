// The walk over toml++'s tree. Positions come from toml++ as line and column in code points; here they
// become byte offsets, by a table made once for the text, because the Swift side works on bytes and
// because counting anew for each node would be quadratic in long lines.

#include "CTomlPlusPlus.h"

// Arrays and inline tables deeper than this are an error of the text, so that no recursion is deep.
#define TOML_MAX_NESTED_VALUES 32
#define TOML_EXCEPTIONS 1
#define TOML_ENABLE_UNRELEASED_FEATURES 0
#define TOML_ENABLE_WINDOWS_COMPAT 0
#include <toml++/toml.h>

#include <algorithm>
#include <deque>
#include <new>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

struct weir_toml_document {
    toml::table root;
    std::vector<weir_toml_node> nodes;
    /// Spellings of dates and times, which toml++ keeps as numbers.
    std::deque<std::string> spellings;
    std::string error;
    size_t error_at = 0;
};

namespace {

/// From line and column, in code points from 1, to bytes from 0.
class OffsetTable {
  public:
    explicit OffsetTable(std::string_view text) : length_(text.size()) {
        line_starts_.push_back(0);
        for (size_t i = 0; i < text.size(); i++) {
            const auto byte = static_cast<unsigned char>(text[i]);
            if ((byte & 0xC0) != 0x80) { code_points_.push_back(static_cast<uint32_t>(i)); }
            if (byte == '\n') { line_starts_.push_back(code_points_.size()); }
        }
    }

    uint32_t offset(toml::source_position position) const {
        if (position.line == 0 || position.line > line_starts_.size()) { return end(); }
        const size_t index = line_starts_[position.line - 1] + std::max<size_t>(position.column, 1) - 1;
        return index < code_points_.size() ? code_points_[index] : end();
    }

  private:
    uint32_t end() const { return static_cast<uint32_t>(length_); }

    size_t length_;
    std::vector<uint32_t> code_points_;
    std::vector<size_t> line_starts_;
};

class Walk {
  public:
    Walk(weir_toml_document &document, const OffsetTable &offsets)
        : document_(document), offsets_(offsets) {}

    void visit(const toml::node &node, const toml::key *key) {
        weir_toml_node out{};
        out.value_at = offsets_.offset(node.source().begin);
        out.key_at = key ? offsets_.offset(key->source().begin) : out.value_at;
        if (key) {
            out.key = key->str().data();
            out.key_length = key->str().size();
        }
        describe(node, out);
        document_.nodes.push_back(out);
        if (const auto *table = node.as_table()) {
            for (const auto &[name, child] : *table) { visit(child, &name); }
        } else if (const auto *array = node.as_array()) {
            for (const auto &child : *array) { visit(child, nullptr); }
        }
    }

  private:
    void describe(const toml::node &node, weir_toml_node &out) {
        switch (node.type()) {
            case toml::node_type::table:
                out.kind = WEIR_TOML_TABLE;
                out.child_count = static_cast<uint32_t>(node.as_table()->size());
                break;
            case toml::node_type::array:
                out.kind = WEIR_TOML_ARRAY;
                out.child_count = static_cast<uint32_t>(node.as_array()->size());
                break;
            case toml::node_type::string:
                out.kind = WEIR_TOML_STRING;
                out.text = node.as_string()->get().data();
                out.text_length = node.as_string()->get().size();
                break;
            case toml::node_type::integer:
                out.kind = WEIR_TOML_INTEGER;
                out.integer = node.as_integer()->get();
                break;
            case toml::node_type::floating_point:
                out.kind = WEIR_TOML_FLOAT;
                out.number = node.as_floating_point()->get();
                break;
            case toml::node_type::boolean:
                out.kind = WEIR_TOML_BOOLEAN;
                out.integer = node.as_boolean()->get() ? 1 : 0;
                break;
            case toml::node_type::date: spell(node.as_date()->get(), out); break;
            case toml::node_type::time: spell(node.as_time()->get(), out); break;
            default: spell(node.as_date_time()->get(), out); break;
        }
    }

    template <typename Moment>
    void spell(const Moment &moment, weir_toml_node &out) {
        std::ostringstream stream;
        stream << moment;
        document_.spellings.push_back(stream.str());
        out.kind = WEIR_TOML_DATETIME;
        out.text = document_.spellings.back().data();
        out.text_length = document_.spellings.back().size();
    }

    weir_toml_document &document_;
    const OffsetTable &offsets_;
};

}  // namespace

extern "C" weir_toml_document *weir_toml_parse(const char *text, size_t length) {
    auto *document = new (std::nothrow) weir_toml_document;
    if (!document) { return nullptr; }
    try {
        const std::string_view view{text, length};
        const OffsetTable offsets{view};
        try {
            document->root = toml::parse(view);
            Walk{*document, offsets}.visit(document->root, nullptr);
        } catch (const toml::parse_error &error) {
            document->nodes.clear();
            document->error = std::string{error.description()};
            document->error_at = offsets.offset(error.source().begin);
        }
        return document;
    } catch (...) {
        delete document;
        return nullptr;
    }
}

extern "C" void weir_toml_free(weir_toml_document *document) { delete document; }

extern "C" const weir_toml_node *weir_toml_nodes(const weir_toml_document *document, size_t *count) {
    *count = document->nodes.size();
    return document->nodes.data();
}

extern "C" const char *weir_toml_error(const weir_toml_document *document, size_t *at) {
    *at = document->error_at;
    return document->error.empty() ? nullptr : document->error.c_str();
}

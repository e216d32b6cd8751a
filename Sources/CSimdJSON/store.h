// Column memory while it is being filled, in the layout of WeirCore's Column.
//
// Values are written at `row`, always the row that is being decoded: a value that comes again (a
// duplicate key) or after a row that was given up overwrites what is there, because strings and
// arrays begin where the row before them ended. Validity bytes exist only once a NULL has been met.

#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>

namespace weir {

/// malloc's family; the process ends when there is no memory.
inline void *resize(void *memory, size_t size) {
    void *fresh = std::realloc(memory, size < 8 ? 8 : size);
    if (fresh == nullptr) std::abort();
    return fresh;
}

/// How values lie in memory; the raw values of PhysicalType in Swift.
enum class Layout : uint8_t { boolean = 0, int64 = 1, real = 2, string = 3, array = 4, wide = 5, row = 6 };

/// Bytes that may be written behind a string (it is copied in steps of 16).
constexpr size_t text_slack = 32;

/// One growable run of values.
struct Store {
    Layout layout = Layout::int64;
    uint8_t *values = nullptr;
    uint8_t *validity = nullptr;
    uint8_t *bytes = nullptr;
    size_t byte_capacity = 0;
    size_t capacity = 0;
    /// The row being written.
    size_t row = 0;

    Store() = default;
    Store(const Store &) = delete;
    Store &operator=(const Store &) = delete;
    ~Store() {
        std::free(values);
        std::free(validity);
        std::free(bytes);
    }

    bool has_offsets() const { return layout == Layout::string || layout == Layout::array; }
    size_t width() const {
        if (layout == Layout::wide) return 16;
        if (layout == Layout::row) return 0;
        return layout == Layout::boolean ? 1 : has_offsets() ? 4 : 8;
    }
    int32_t *offsets() { return reinterpret_cast<int32_t *>(values); }

    /// Makes room for `rows` rows in all.
    void reserve(size_t rows) {
        if (rows <= capacity && values != nullptr) return;
        const size_t grown = rows > capacity * 2 ? rows : capacity * 2;
        values = static_cast<uint8_t *>(resize(values, (grown + has_offsets()) * width()));
        if (has_offsets() && capacity == 0) offsets()[0] = 0;
        if (validity != nullptr) {
            validity = static_cast<uint8_t *>(resize(validity, grown));
            std::memset(validity + capacity, 1, grown - capacity);
        }
        capacity = grown;
    }

    void put_int(int64_t value) {
        reinterpret_cast<int64_t *>(values)[row] = value;
        if (validity != nullptr) validity[row] = 1;
    }

    void put_wide(__int128 value) {
        reinterpret_cast<__int128 *>(values)[row] = value;
        if (validity != nullptr) validity[row] = 1;
    }

    void put_real(double value) {
        reinterpret_cast<double *>(values)[row] = value;
        if (validity != nullptr) validity[row] = 1;
    }

    void put_bool(bool value) {
        values[row] = value;
        if (validity != nullptr) validity[row] = 1;
    }

    /// Room for `length` bytes of text in this row, to be ended by `end_text`.
    uint8_t *begin_text(size_t length) {
        const size_t start = static_cast<size_t>(offsets()[row]);
        if (start + length + text_slack > byte_capacity) [[unlikely]]
            grow_bytes(start + length + text_slack);
        return bytes + start;
    }

    void end_text(const uint8_t *end) {
        offsets()[row + 1] = static_cast<int32_t>(end - bytes);
        if (validity != nullptr) validity[row] = 1;
    }

    /// Writes `length` bytes of text; up to 16 bytes behind `from + length` are read.
    void put_text(const uint8_t *from, size_t length) {
        uint8_t *to = begin_text(length);
        if (length <= 32) [[likely]] {
            std::memcpy(to, from, 16);
            if (length > 16) std::memcpy(to + 16, from + 16, 16);
        } else {
            std::memcpy(to, from, length);
        }
        end_text(to + length);
    }

    /// Makes the row an array of `elements` elements.
    void put_array(size_t elements) {
        offsets()[row + 1] = offsets()[row] + static_cast<int32_t>(elements);
        if (validity != nullptr) validity[row] = 1;
    }

    /// Makes the row a value whose members lie elsewhere.
    void put_row() {
        if (validity != nullptr) validity[row] = 1;
    }

    void put_null() {
        if (validity == nullptr) {
            validity = static_cast<uint8_t *>(resize(nullptr, capacity));
            std::memset(validity, 1, capacity);
        }
        switch (layout) {
        case Layout::row: break;
        case Layout::boolean: values[row] = 0; break;
        case Layout::int64:
        case Layout::real: put_int(0); break;
        case Layout::wide: put_wide(0); break;
        case Layout::string:
        case Layout::array: offsets()[row + 1] = offsets()[row]; break;
        }
        validity[row] = 0;
    }

    /// Forgets the memory, which now belongs to someone else.
    void release() {
        usual_bytes = byte_capacity;
        values = validity = bytes = nullptr;
        byte_capacity = capacity = row = 0;
    }

private:
    /// What the batch before needed, so that the next one is not grown step by step.
    size_t usual_bytes = 0;

    void grow_bytes(size_t needed) {
        const size_t wanted = bytes == nullptr ? usual_bytes : byte_capacity * 2;
        byte_capacity = needed > wanted ? needed : wanted;
        bytes = static_cast<uint8_t *>(resize(bytes, byte_capacity));
    }
};

}  // namespace weir

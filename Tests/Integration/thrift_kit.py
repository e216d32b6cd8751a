"""Thrift's compact protocol as trees that can be read, changed and written again: what Parquet's footers are made of.

A structure is a list of fields [number, kind, value]; a list is (kind of its elements, [values]). This is a second
reading of the format, by somebody who has not seen weir's: footers are held against it, and changed by it.
"""

import copy
import struct

YES, NO, BYTE, INT16, INT32, INT64, DOUBLE, BINARY, LIST, SET, MAP, STRUCT = range(1, 13)
WHOLE = (INT16, INT32, INT64)


class Reader:
    def __init__(self, data, position=0):
        self.data, self.position = data, position

    def byte(self):
        self.position += 1
        return self.data[self.position - 1]

    def take(self, count):
        self.position += count
        assert self.position <= len(self.data)
        return bytes(self.data[self.position - count : self.position])

    def varint(self):
        value = shift = 0
        while True:
            byte = self.byte()
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
            shift += 7

    def zigzag(self):
        value = self.varint()
        return (value >> 1) ^ -(value & 1)

    def structure(self):
        fields, number = [], 0
        while head := self.byte():
            number = number + (head >> 4) if head >> 4 else self.zigzag()
            kind = head & 15
            fields.append([number, kind, kind == YES if kind in (YES, NO) else self.value(kind)])
        return fields

    def value(self, kind):
        if kind in (YES, NO):
            return self.byte() == YES
        if kind == BYTE:
            return struct.unpack("b", self.take(1))[0]
        if kind in WHOLE:
            return self.zigzag()
        if kind == DOUBLE:
            return self.take(8)
        if kind == BINARY:
            return self.take(self.varint())
        if kind in (LIST, SET):
            head = self.byte()
            count = self.varint() if head >> 4 == 15 else head >> 4
            return head & 15, [self.value(head & 15) for _ in range(count)]
        assert kind == STRUCT, kind
        return self.structure()


def varint(value):
    found = bytearray()
    while value >= 0x80:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes(found) + bytes([value])


def zigzag(value):
    return varint((value << 1 ^ value >> 63) & (1 << 64) - 1)


def written(fields):
    """A structure's bytes. Numbers may fall or stay, which takes the long form of a field's head."""
    found, last = bytearray(), 0
    for number, kind, value in fields:
        if kind in (YES, NO):
            kind = YES if value else NO
        if 0 < number - last < 16:
            found.append(number - last << 4 | kind)
        else:
            found += bytes([kind]) + zigzag(number)
        last = number
        if kind not in (YES, NO):
            found += element(kind, value)
    return bytes(found) + b"\0"


def element(kind, value):
    if kind in (YES, NO):
        return bytes([YES if value else NO])
    if kind == BYTE:
        return struct.pack("b", value)
    if kind in WHOLE:
        return zigzag(value)
    if kind == DOUBLE:
        return value
    if kind == BINARY:
        return varint(len(value)) + value
    if kind in (LIST, SET):
        inner, values = value
        head = bytes([len(values) << 4 | inner]) if len(values) < 15 else bytes([0xF0 | inner]) + varint(len(values))
        return head + b"".join(element(inner, item) for item in values)
    return written(value)


def read(data, position=0, is_all=False):
    """The structure at `position`, as {number: value}, all the way down; `is_all`: nothing may be behind it."""
    reader = Reader(data, position)
    fields = reader.structure()
    assert not is_all or reader.position == len(data), "its length is not what it is said to be"
    return plain(fields, STRUCT)


def plain(value, kind):
    if kind == STRUCT:
        assert len({number for number, _, _ in value}) == len(value), "a field comes twice"
        return {number: plain(inner, kind) for number, kind, inner in value}
    if kind in (LIST, SET):
        return [plain(item, value[0]) for item in value[1]]
    return value


# MARK: Changes


def structures(fields):
    """All structures of a tree, the outermost first."""
    yield fields
    for _, kind, value in fields:
        if kind == STRUCT:
            yield from structures(value)
        elif kind == LIST and value[0] == STRUCT:
            for item in value[1]:
                yield from structures(item)


def change(rng, fields):
    """Changes one field of the tree in place; its bytes stay well-formed."""
    places = [(owner, index) for owner in structures(fields) for index in range(len(owner))]
    if not places:
        return
    owner, index = rng.choice(places)
    field = owner[index]
    step = rng.choice(["value", "value", "value", "twice", "drop", "number", "kind", "swap"])
    if step == "value":
        field[2] = changed(rng, field[1], field[2])
    elif step == "twice":
        second = copy.deepcopy(field)
        if rng.random() < 0.5:
            second[2] = changed(rng, second[1], second[2])
        owner.insert(rng.randint(0, len(owner)), second)
    elif step == "drop":
        del owner[index]
    elif step == "number":
        field[0] = rng.choice([field[0] + 1, field[0] - 1, 0, 100, -1, 32767, rng.randint(1, 16)])
    elif step == "swap":
        other = rng.randrange(len(owner))
        owner[index], owner[other] = owner[other], owner[index]
    elif field[1] in WHOLE:
        field[1] = rng.choice(WHOLE)
    else:
        field[1], field[2] = rng.choice([(INT32, 7), (BINARY, b"x"), (YES, True), (STRUCT, []), (LIST, (INT32, []))])


def changed(rng, kind, value):
    if kind in (YES, NO):
        return not value
    if kind == BYTE:
        return rng.choice([-128, -1, 0, 1, 8, 16, 32, 64, 127])
    if kind in WHOLE:
        bits = {INT16: 15, INT32: 31, INT64: 63}[kind]
        near = value + rng.choice([-8, -2, -1, 1, 2, 8])
        edges = [0, 1, 2, 3, -1, (1 << bits) - 1, -(1 << bits), 1 << bits - 1, value * 2, value // 2, rng.randint(0, 22)]
        return max(-(1 << bits), min(near if rng.random() < 0.5 else rng.choice(edges), (1 << bits) - 1))
    if kind == BINARY:
        place = rng.randint(0, len(value))
        return rng.choice([b"", value[:place], value + rng.randbytes(3), value[:place] + rng.randbytes(1) + value[place + 1 :]])
    if kind in (LIST, SET):
        inner, values = value
        values = list(values)
        if values and rng.random() < 0.8:
            place = rng.randrange(len(values))
            if rng.random() < 0.4:
                del values[place]
            else:
                values.insert(rng.randint(0, len(values)), copy.deepcopy(values[place]))
        else:
            values = []
        return inner, values
    if kind == STRUCT and value:
        change(rng, value)
    return value


def damage(rng, data, lowest=0):
    """Changes, takes out or puts in a few bytes at one place of a bytearray, from `lowest` on."""
    place = rng.randrange(lowest, len(data))
    kind = rng.randrange(4)
    if kind == 0:
        data[place] ^= 1 << rng.randrange(8)
    elif kind == 1:
        data[place] = rng.choice([0, 1, 0x7F, 0x80, 0xFF, rng.randrange(256)])
    elif kind == 2:
        del data[place : place + rng.randint(1, 8)]
    else:
        data[place:place] = rng.randbytes(rng.randint(1, 4))


def mutated(rng, data):
    """A Parquet file with another footer: bytes that are not what they were, lengths, ends, fields."""
    size = struct.unpack("<I", data[-8:-4])[0]
    rows, footer = data[: len(data) - 8 - size], data[len(data) - 8 - size : -8]
    kind = rng.randrange(8)
    if kind < 4:
        tree = Reader(footer).structure()
        for _ in range(rng.choice([1, 1, 1, 2, 4])):
            change(rng, tree)
        footer = written(tree)
    elif kind < 6:
        footer = bytearray(footer)
        for _ in range(rng.choice([1, 1, 2, 5])):
            damage(rng, footer)
            if not footer:
                break
    elif kind == 6:
        # The end of the footer, or of the file, is cut off.
        cut = rng.randint(1, len(footer))
        if rng.random() < 0.5:
            return data[: len(data) - rng.choice([1, 4, 8, 8 + cut, rng.randint(1, len(data))])]
        footer = footer[:-cut]
    else:
        length = rng.choice([0, 1, size - 1, size + 1, size * 2, len(data), 2**31 - 1, 2**31, 2**32 - 1, rng.randrange(len(data))])
        return rows + footer + struct.pack("<I", length) + data[-4:]
    return rows + bytes(footer) + struct.pack("<I", len(footer)) + data[-4:]

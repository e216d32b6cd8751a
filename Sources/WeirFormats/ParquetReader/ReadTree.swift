// The schema of a file as a tree of what can be read, with the levels at which each node is there. The way
// back from `ParquetSchema`, and beyond it what other writers write: required columns, lists of two levels,
// unsigned numbers, times in micro- and nanoseconds (read as milliseconds, rounded down), old annotations.
//
// What has no type of ours is left out and told in `unreadable`: whoever copies rows must not lose columns.

import WeirCore

/// How a stored value becomes ours.
enum ReadConversion: Equatable {
    case boolean
    case integer
    /// A number that must lie within a type of 8 or 16 bits.
    case narrow(ClosedRange<Int64>)
    case unsigned32
    case real
    /// A time in finer units than ours, by so many of which a millisecond is.
    case divided(by: Int64)
    /// Bytes as they are; `isUTF8` when they are a text.
    case bytes(isUTF8: Bool)
    /// A decimal as bytes, the highest first.
    case decimalBytes
}

/// A leaf that is read.
struct ReadLeaf {
    /// Its number among all leaves of the file.
    let chunk: Int
    let path: String
    let physical: Int
    /// Bytes of a value that has a fixed length of its own.
    let fixedLength: Int
    let type: DataType
    let conversion: ReadConversion
    let definitionMax: Int
    let repetitionMax: Int
}

/// A node that is read.
struct ReadNode {
    indirect enum Content {
        /// A leaf, by its number among those that are read.
        case leaf(Int)
        case row([ReadNode])
        case list(ReadNode)
        case map(key: ReadNode, value: ReadNode)
    }

    var name: String
    let type: DataType
    let content: Content
    /// The definition level from which on it is there, and is not NULL.
    let definition: Int
    /// The same of a list's elements, and their repetition level.
    var elementDefinition = 0
    var elementRepetition = 0
    /// The first of its leaves among those that are read.
    let firstLeaf: Int
}

/// The columns of a file that are read.
struct ReadTree {
    private(set) var columns: [ReadNode] = []
    private(set) var leaves: [ReadLeaf] = []
    /// How many leaves the file has.
    private(set) var leafCount = 0
    /// Paths that were wanted and have no type of ours.
    private(set) var unreadable: [String] = []

    private let nodes: [FooterNode]
    private let isWanted: ([String]) -> Bool
    private var next = 1

    /// `isWanted` is asked for each node but those inside of lists and maps, by its path.
    init(
        _ nodes: [FooterNode], _ isWanted: @escaping ([String]) -> Bool
    ) throws(ParquetFault) {
        self.nodes = nodes
        self.isWanted = isWanted
        guard let root = nodes.first else { throw .broken("it has no schema") }
        for _ in 0..<root.childCount {
            if let node = try node([], Level(), isAsked: true) { columns.append(node) }
        }
        guard next == nodes.count else { throw .broken("its schema is no tree") }
    }

    /// Levels on the way to a node.
    private struct Level {
        var definition = 0
        var repetition = 0
        var depth = 0

        var inList: Level {
            Level(definition: definition + 1, repetition: repetition + 1, depth: depth + 1)
        }
        var below: Level { Level(definition: definition, repetition: repetition, depth: depth + 1) }
    }

    // MARK: Walking

    private func peek() throws(ParquetFault) -> FooterNode {
        guard next < nodes.count else { throw .broken("its schema is no tree") }
        return nodes[next]
    }

    /// The next node and all below it; nil when nothing of it is read.
    private mutating func node(
        _ parents: [String], _ parent: Level, isAsked: Bool
    ) throws(ParquetFault) -> ReadNode? {
        let footer = try peek()
        next += 1
        guard parent.depth < ParquetReadLimits.schemaDepthMax else {
            throw .broken("its schema nests too deep")
        }
        let path = parents + [footer.name]
        let isKept = !isAsked || isWanted(path)
        var level = parent.below
        switch footer.repetition {
        case 0: break
        case 1: level.definition += 1
        case 2:
            // A repeated node by itself is a list that is always there.
            guard let element = try content(footer, path, parent.inList, isKept, isAsked: false) else {
                return nil
            }
            return list(named: footer.name, of: element, parent.definition, parent.inList)
        default: throw .broken("its schema repeats a column in no known way")
        }
        return try content(footer, path, level, isKept, isAsked: isAsked)
    }

    private func list(
        named name: String, of element: ReadNode, _ definition: Int, _ level: Level
    ) -> ReadNode {
        ReadNode(
            name: name, type: .array(element.type), content: .list(element), definition: definition,
            elementDefinition: level.definition, elementRepetition: level.repetition,
            firstLeaf: element.firstLeaf)
    }

    /// What `footer`, which has been taken, is.
    private mutating func content(
        _ footer: FooterNode, _ path: [String], _ level: Level, _ isKept: Bool, isAsked: Bool
    ) throws(ParquetFault) -> ReadNode? {
        if footer.childCount == 0, let type = footer.type {
            return leaf(footer, type, path, level, isKept)
        }
        // Old files call a map's group MAP_KEY_VALUE, 2.
        let isMap = footer.logicalType == .map || [1, 2].contains(footer.olderType)
        let isList = footer.logicalType == .list || footer.olderType == 3
        if isMap || isList, footer.childCount == 1 {
            let inner = try peek()
            if inner.repetition == 2, !isMap || inner.childCount == 2 {
                next += 1
                return isMap
                    ? try map(footer, inner, path, level, isKept)
                    : try list(footer, inner, path, level, isKept)
            }
        }
        var fields: [ReadNode] = []
        for _ in 0..<footer.childCount {
            // Below a node that is not wanted nothing is, but it has to be walked over.
            let field = try node(path, level, isAsked: isAsked && isKept)
            if isKept, let field { fields.append(field) }
        }
        guard isKept, let first = fields.first else { return nil }
        return ReadNode(
            name: footer.name, type: .row(fields.map { Field($0.name, $0.type) }),
            content: .row(fields), definition: level.definition, firstLeaf: first.firstLeaf)
    }

    private mutating func list(
        _ footer: FooterNode, _ inner: FooterNode, _ path: [String], _ level: Level, _ isKept: Bool
    ) throws(ParquetFault) -> ReadNode? {
        let hasElement =
            inner.childCount == 1 && inner.name != "array" && inner.name != "\(footer.name)_tuple"
        let mark = (leaves.count, unreadable.count)
        let element =
            hasElement
            ? try node(path, level.inList, isAsked: false)
            : try content(inner, path, level.inList, isKept, isAsked: false)
        guard isKept, let element else {
            forget(after: mark, isKept)
            return nil
        }
        return list(named: footer.name, of: element, level.definition, level.inList)
    }

    private mutating func map(
        _ footer: FooterNode, _ inner: FooterNode, _ path: [String], _ level: Level, _ isKept: Bool
    ) throws(ParquetFault) -> ReadNode? {
        let mark = (leaves.count, unreadable.count)
        let key = try node(path, level.inList, isAsked: false)
        let value = try node(path, level.inList, isAsked: false)
        guard isKept, var key, var value else {
            forget(after: mark, isKept)
            return nil
        }
        (key.name, value.name) = ("key", "value")
        return ReadNode(
            name: footer.name, type: .map(key: key.type, value: value.type),
            content: .map(key: key, value: value), definition: level.definition,
            elementDefinition: level.inList.definition, elementRepetition: level.inList.repetition,
            firstLeaf: key.firstLeaf)
    }

    /// Takes back what was found inside of a list that is not read after all.
    private mutating func forget(after mark: (leaves: Int, unreadable: Int), _ isWanted: Bool) {
        leaves.removeLast(leaves.count - mark.leaves)
        if !isWanted { unreadable.removeLast(unreadable.count - mark.unreadable) }
    }

    private mutating func leaf(
        _ footer: FooterNode, _ physical: Int, _ path: [String], _ level: Level, _ isKept: Bool
    ) -> ReadNode? {
        defer { leafCount += 1 }
        guard isKept else { return nil }
        guard let (type, conversion) = footer.readType(physical) else {
            unreadable.append(path.joined(separator: "."))
            return nil
        }
        leaves.append(
            ReadLeaf(
                chunk: leafCount, path: path.joined(separator: "."), physical: physical,
                fixedLength: footer.fixedLength, type: type, conversion: conversion,
                definitionMax: level.definition, repetitionMax: level.repetition))
        return ReadNode(
            name: footer.name, type: type, content: .leaf(leaves.count - 1),
            definition: level.definition, firstLeaf: leaves.count - 1)
    }
}

extension FooterNode {
    /// The older annotation, where there is no newer one.
    fileprivate var olderType: Int? { logicalType == nil ? convertedType : nil }

    /// Our type of a leaf and the way to it; nil where there is none.
    fileprivate func readType(_ physical: Int) -> (DataType, ReadConversion)? {
        switch ParquetType(rawValue: Int32(clamping: physical)) {
        case .boolean: return (.boolean, .boolean)
        case .float: return (.float, .real)
        case .double: return (.double, .real)
        case .int32, .int64: return wholeType(is64Bits: physical == 2)
        case .byteArray:
            if let decimal { return (decimal, .decimalBytes) }
            // STRING, ENUM and JSON are texts.
            let isText =
                [0, 4, 19].contains(olderType) || logicalType == .string
                || [.other(4), .other(12)].contains(logicalType)
            return isText ? (.string, .bytes(isUTF8: true)) : (.bytes, .bytes(isUTF8: false))
        case .fixedBytes:
            guard fixedLength > 0, fixedLength <= 1 << 20 else { return nil }
            if let decimal { return fixedLength <= 16 ? (decimal, .decimalBytes) : nil }
            return (.bytes, .bytes(isUTF8: false))
        case nil: return nil
        }
    }

    private func wholeType(is64Bits: Bool) -> (DataType, ReadConversion)? {
        if let decimal {
            guard case .decimal(let digits, _) = decimal, digits <= DataType.compactPrecisionMax else {
                return nil
            }
            return (decimal, .integer)
        }
        switch logicalType {
        case .date: return is64Bits ? nil : (.date, .integer)
        case .time(let unit): return (.time, unit == 1 ? .integer : .divided(by: unit))
        case .timestamp(let isUTC, let unit):
            return (isUTC ? .timestampLTZ : .timestamp, unit == 1 ? .integer : .divided(by: unit))
        case .integer(let bits, let isSigned): return integerType(bits, isSigned, is64Bits)
        default: break
        }
        switch olderType {
        case 6: return is64Bits ? nil : (.date, .integer)
        case 7: return (.time, .integer)
        case 8: return (.time, .divided(by: 1000))
        case 9: return (.timestampLTZ, .integer)
        case 10: return (.timestampLTZ, .divided(by: 1000))
        case .some(let converted) where (11...18).contains(converted):
            return integerType(8 << ((converted - 11) % 4), converted >= 15, is64Bits)
        default: return (is64Bits ? .bigint : .int, .integer)
        }
    }

    private func integerType(
        _ bits: Int, _ isSigned: Bool, _ is64Bits: Bool
    ) -> (DataType, ReadConversion)? {
        switch (bits, isSigned) {
        case (8, true): (.tinyint, .narrow(-128...127))
        case (8, false): (.smallint, .narrow(0...255))
        case (16, true): (.smallint, .narrow(-32768...32767))
        case (16, false): (.int, .narrow(0...65535))
        case (32, false): is64Bits ? nil : (.bigint, .unsigned32)
        case (64, false): nil
        default: (is64Bits ? .bigint : .int, .integer)
        }
    }

    private var decimal: DataType? {
        var shape: (scale: Int, precision: Int)?
        if case .decimal(let scale, let precision) = logicalType {
            shape = (scale, precision)
        } else if olderType == 5 {
            shape = (scale, precision)
        }
        guard let shape, (1...DataType.decimalPrecisionMax).contains(shape.precision),
            (0...shape.precision).contains(shape.scale)
        else { return nil }
        return .decimal(precision: shape.precision, scale: shape.scale)
    }
}

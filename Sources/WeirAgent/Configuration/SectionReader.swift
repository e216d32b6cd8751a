// Reads one section of the file by its declaration: known keys become values, everything else
// becomes a complaint at its place, and reading goes on, so that one run of `weir check` names all
// errors.

import WeirCore

/// What a section of the file says, with the places where it says it.
struct SectionValues: Sendable {
    /// A value that stands in the file.
    struct Given: Sendable {
        let value: FieldValue
        /// Where the key stands.
        let keyPosition: TextPosition
        /// Where the value stands.
        let position: TextPosition
        /// Where each element of a list stands.
        let elementPositions: [TextPosition]
        /// Byte of the file where the value begins.
        let offset: Int
    }

    let declaration: SectionDeclaration
    /// Where the section begins.
    let header: TextPosition
    fileprivate(set) var given: [String: Given] = [:]
    /// The node of the field of kind `columns`.
    fileprivate(set) var columns: TOMLNode.Entry?
    /// Keys that stand in the file with a value that is none.
    fileprivate(set) var invalidKeys: Set<String> = []

    /// The value of a field: the file's, else the default; nil without either and for wrong values.
    subscript<Value>(_ field: Setting<Value>) -> Value? {
        let key = field.declaration.key
        if let given = given[key] { return field.decode(given.value) }
        if invalidKeys.contains(key) { return nil }
        return field.declaration.defaultValue.flatMap(field.decode)
    }

    /// Whether the file gives the field a value, right or wrong.
    func isGiven<Value>(_ field: Setting<Value>) -> Bool {
        given[field.declaration.key] != nil || invalidKeys.contains(field.declaration.key)
    }

    /// Where a field's value stands, or the section's header when the file does not give it.
    func position<Value>(of field: Setting<Value>) -> TextPosition {
        given[field.declaration.key]?.position ?? header
    }

    /// The byte of the file where a field's value begins; nil when the file does not give it.
    func offset<Value>(of field: Setting<Value>) -> Int? { given[field.declaration.key]?.offset }

    /// Where element `index` of a field's list stands.
    func position<Value>(of field: Setting<Value>, element index: Int) -> TextPosition {
        guard let positions = given[field.declaration.key]?.elementPositions,
            index < positions.count
        else {
            return position(of: field)
        }
        return positions[index]
    }
}

/// Reads sections of one document.
struct SectionReader {
    let document: TOMLDocument
    let resolver: ReferenceResolver
    /// Whether secrets are looked up; if not, each one given is an empty `Secret`.
    let resolvesSecrets: Bool
    let log: ProblemLog

    /// The values of the table `node`, which is a section of this declaration.
    func read(_ declaration: SectionDeclaration, _ node: TOMLNode, header: TextPosition? = nil)
        -> SectionValues
    {
        var values = SectionValues(
            declaration: declaration, header: header ?? position(node.offset))
        read(node, prefix: "", into: &values)
        checkApplicability(&values)
        return values
    }

    func position(_ offset: Int) -> TextPosition { document.lines.position(at: offset) }

    private func read(_ node: TOMLNode, prefix: String, into values: inout SectionValues) {
        guard case .table(let entries) = node.value else { return }
        for entry in entries {
            let key = prefix + entry.key
            if let field = values.declaration.field(key) {
                if case .columns = field.kind {
                    values.columns = entry
                } else if let given = value(of: entry, field, values.declaration.subject) {
                    values.given[key] = given
                } else {
                    values.invalidKeys.insert(key)
                }
            } else if values.declaration.isGroup(key) {
                if case .table = entry.node.value {
                    read(entry.node, prefix: key + ".", into: &values)
                } else {
                    log.error(
                        position(entry.node.offset),
                        "\(key) must be a table, not \(entry.node.kindName)")
                }
            } else {
                complainOfUnknown(entry, prefix: prefix, in: values.declaration)
            }
        }
    }

    // MARK: Values

    private func value(
        of entry: TOMLNode.Entry, _ field: FieldDeclaration, _ subject: String
    ) -> SectionValues.Given? {
        let value: FieldValue?
        var elementPositions: [TextPosition] = []
        if case .texts(let format) = field.kind {
            guard case .array(let elements) = entry.node.value else {
                complainOfKind(entry, field)
                return nil
            }
            elementPositions = elements.map { position($0.offset) }
            value = texts(elements, format, field)
        } else {
            value = scalar(entry, field, subject)
        }
        return value.map {
            SectionValues.Given(
                value: $0, keyPosition: position(entry.keyOffset),
                position: position(entry.node.offset),
                elementPositions: elementPositions, offset: entry.node.offset)
        }
    }

    private func scalar(
        _ entry: TOMLNode.Entry, _ field: FieldDeclaration, _ subject: String
    ) -> FieldValue? {
        var node = entry.node.value
        if case .string(let raw) = node {
            if field.isSecret { return secret(raw, at: entry.node.offset, field) }
            if hasReferences(field.kind) {
                guard let text = expanded(raw, at: entry.node.offset, key: field.key) else {
                    return nil
                }
                node = .string(text)
            }
        } else if case .text = field.kind {
            complainOfKind(entry, field)
            return nil
        }
        switch field.kind.value(of: node) {
        case .success(let value): return value
        case .failure(let complaint):
            log.error(position(entry.node.offset), "\(subject)\(field.key) \(complaint.message)")
            return nil
        }
    }

    private func texts(_ elements: [TOMLNode], _ format: TextFormat, _ field: FieldDeclaration)
        -> FieldValue?
    {
        var texts: [String] = []
        var isRight = true
        for element in elements {
            guard case .string(let raw) = element.value else {
                log.error(
                    position(element.offset),
                    "\(field.key) must be a list of strings, and this is \(element.kindName)")
                isRight = false
                continue
            }
            guard let text = expanded(raw, at: element.offset, key: field.key) else {
                isRight = false
                continue
            }
            if let complaint = format.complaint(text) {
                log.error(
                    position(element.offset), "\(field.key): \(quoted(text)) \(complaint.message)")
                isRight = false
            } else if !format.allowsRepetition, texts.contains(text) {
                log.error(position(element.offset), "\(field.key) lists \(quoted(text)) twice")
                isRight = false
            }
            texts.append(text)
        }
        return isRight ? .texts(texts) : nil
    }

    private func secret(_ raw: String, at offset: Int, _ field: FieldDeclaration) -> FieldValue? {
        guard resolvesSecrets else { return .secret(Secret("")) }
        switch resolver.secret(raw) {
        case .success(let secret) where secret.isEmpty:
            log.error(position(offset), "\(field.key) is empty; leave the key out instead")
            return nil
        case .success(let secret): return .secret(secret)
        case .failure(let problems):
            complain(problems, in: raw, at: offset, key: field.key)
            return nil
        }
    }

    private func expanded(_ raw: String, at offset: Int, key: String) -> String? {
        switch resolver.expand(raw) {
        case .success(let text): return text
        case .failure(let problems):
            complain(problems, in: raw, at: offset, key: key)
            return nil
        }
    }

    private func complain(
        _ problems: ReferenceResolver.Problems, in raw: String, at offset: Int, key: String
    ) {
        let origin = TOMLStringOrigin(of: raw, at: offset, in: document)
        for problem in problems.list {
            log.error(origin.filePosition(atByte: problem.offset), "\(key): \(problem.message)")
        }
    }

    private func hasReferences(_ kind: FieldKind) -> Bool {
        if case .text(let format) = kind { format.hasReferences } else { true }
    }

    private func complainOfKind(_ entry: TOMLNode.Entry, _ field: FieldDeclaration) {
        log.error(
            position(entry.node.offset),
            "\(field.key) must be \(field.kind.withArticle), not \(entry.node.kindName)")
    }

    // MARK: Keys

    private func complainOfUnknown(
        _ entry: TOMLNode.Entry, prefix: String, in section: SectionDeclaration
    ) {
        let place = position(entry.keyOffset)
        if let reason = section.refusals[prefix + entry.key] {
            log.error(place, "\(prefix)\(entry.key) is refused: \(reason)")
            return
        }
        let known = section.fields.map(\.key).filter { $0.hasPrefix(prefix) }
        let level = Set(known.map { String($0.dropFirst(prefix.count).prefix { $0 != "." }) })
            .sorted()
        var hint = ""
        if let near = nearestSpelling(of: entry.key, among: level) {
            hint = "; did you mean \(quoted(near))?"
        } else if let elsewhere = section.fields.first(where: { $0.key.hasSuffix("." + entry.key) })
        {
            hint = "; did you mean \(quoted(elsewhere.key))?"
        } else if level.count <= 8 {
            hint = "; known keys are \(alternatives(level, "and"))"
        }
        let group = prefix.isEmpty ? section.header : "[\(section.name).\(prefix.dropLast())]"
        log.error(place, "unknown key \(quoted(entry.key)) in \(group)\(hint)")
    }

    /// Complains of keys that do not go with the section's type and of those that are missing.
    private func checkApplicability(_ values: inout SectionValues) {
        let section = values.declaration
        var type: String?
        if section.field("type") != nil, section.fields.contains(where: { !$0.types.isEmpty }) {
            guard case .text(let word)? = values.given["type"]?.value else {
                checkRequired(values, where: { $0.types.isEmpty })
                return
            }
            type = word
        }
        let applies = { (field: FieldDeclaration) in
            field.types.isEmpty || type.map(field.types.contains) ?? true
        }
        for field in section.fields where !applies(field) {
            guard let given = values.given[field.key] else { continue }
            log.error(
                given.keyPosition,
                "\(field.key) does not go with type = \(quoted(type ?? "")); it is for "
                    + alternatives(field.types.map { quoted($0) }))
            values.given[field.key] = nil
        }
        checkRequired(values, where: applies)
    }

    private func checkRequired(_ values: SectionValues, where applies: (FieldDeclaration) -> Bool) {
        for field in values.declaration.fields where field.isRequired && applies(field) {
            let isThere: Bool =
                if case .columns = field.kind { values.columns != nil } else {
                    values.given[field.key] != nil || values.invalidKeys.contains(field.key)
                }
            guard !isThere else { continue }
            // A key of a group is needed only when the group is there, as `column` of
            // [source.time].
            if let dot = field.key.lastIndex(of: ".") {
                let group = field.key[...dot]
                guard
                    values.invalidKeys.union(values.given.keys).contains(where: {
                        $0.hasPrefix(group)
                    })
                else {
                    continue
                }
            }
            log.error(values.header, "\(values.declaration.header) has no \(field.key)")
        }
    }
}

// The reference page of the configuration, written from the declarations: docs/configuration.md is
// this text, and a test keeps the two equal.

/// The reference of all sections and keys.
public enum ConfigurationReference {
    /// The page as Markdown. `weir config reference > docs/configuration.md` writes it.
    public static func markdown() -> String {
        introduction
            + [
                AgentFields.section, SourceFields.section, ColumnFields.section, TableFields.section,
                ViewFields.section,
                MacroFields.section, QueryFields.section, SinkFields.section, UplinkFields.section,
            ].map(section).joined()
    }

    private static func section(_ section: SectionDeclaration) -> String {
        var text = "\n## `\(section.header)`\n\n\(section.documentation)\n\n"
        text += "| key | value | default | |\n|---|---|---|---|\n"
        for field in section.fields { text += row(field) }
        return text
    }

    private static func row(_ field: FieldDeclaration) -> String {
        var value = field.kind.name
        if !field.kind.bounds.isEmpty { value += ", \(field.kind.bounds)" }
        if field.isSecret { value = "secret" }
        let initial: String =
            switch field.presence {
            case .optional: ""
            case .required: "**required**"
            case .defaulted(let value): "`\(field.kind.toml(value))`"
            }
        var prose = field.documentation
        if !field.types.isEmpty {
            prose += " For type \(alternatives(field.types.map { "`\($0)`" }, "and"))."
        }
        return "| `\(field.key)` | \(value) | \(initial) | \(prose) |\n"
    }

    private static let introduction = """
        # Configuration

        This page is generated from the declarations in the source code:
        `weir config reference > docs/configuration.md`.

        weir reads one TOML file. `weir check FILE` says everything that is wrong with it, each as
        `file:line:column: error: …`, and errors in SQL at their place in the SQL; `--json` says it to
        programs, as a list of objects with `file`, `line`, `column`, `severity` and `message`.
        Unknown keys are errors. All keys below are known since version 0.1.

        **Values.** A *duration* is written `"100ms"`, `"5s"`, `"10m"`, `"1h"`, `"7d"` or `"1h30m"`.
        A *size* is written `"64MB"` or `"256KiB"`: KB, MB, GB and TB are powers of 1000, KiB, MiB,
        GiB and TiB are powers of 1024. A *rate* is a size a second: `"1MB/s"`. A *name* has letters,
        digits and `_`, begins with a letter and is at most 64 characters long. Relative paths start
        at the working directory of the process.

        **References.** `${VAR}` in any string outside of SQL is replaced by the environment variable;
        a variable that is not set is an error; `$${` stands for `${`. A *secret* may also be
        `file:PATH`: the content of that file without white space at its ends, for instance
        `"file:${CREDENTIALS_DIRECTORY}/mqtt-password"` for a credential of systemd. Secrets are never
        printed, logged or served.

        **Limits.** The file has at most 1 MiB; arrays and tables in values nest at most 32 deep.

        """
}

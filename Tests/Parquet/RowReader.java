// Reads Parquet files row by row with parquet-java, the library under Flink's, Hive's and Spark's readers, and writes
// the rows as NDJSON, in weir's form of each type. Page checksums are verified.
//
//     java -cp 'pyspark/jars/*' RowReader.java rows FILE                  the rows
//     java -cp 'pyspark/jars/*' RowReader.java encodings FILE             encodings of data and kinds of pages
//     java -cp 'pyspark/jars/*' RowReader.java candidates FILE COLUMN V   rows left by statistics, indexes, Bloom filters
//
// Several commands may follow each other; a line "--" ends the answer of each.

import java.io.PrintStream;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Instant;
import java.time.LocalDate;
import java.time.LocalTime;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.util.Base64;
import java.util.Set;
import java.util.TreeSet;
import org.apache.parquet.ParquetReadOptions;
import org.apache.parquet.column.page.PageReadStore;
import org.apache.parquet.example.data.Group;
import org.apache.parquet.example.data.simple.convert.GroupRecordConverter;
import org.apache.parquet.filter2.compat.FilterCompat;
import org.apache.parquet.filter2.predicate.FilterApi;
import org.apache.parquet.filter2.predicate.FilterPredicate;
import org.apache.parquet.hadoop.ParquetFileReader;
import org.apache.parquet.io.ColumnIOFactory;
import org.apache.parquet.io.LocalInputFile;
import org.apache.parquet.io.MessageColumnIO;
import org.apache.parquet.io.RecordReader;
import org.apache.parquet.io.api.Binary;
import org.apache.parquet.schema.GroupType;
import org.apache.parquet.schema.LogicalTypeAnnotation;
import org.apache.parquet.schema.LogicalTypeAnnotation.DateLogicalTypeAnnotation;
import org.apache.parquet.schema.LogicalTypeAnnotation.DecimalLogicalTypeAnnotation;
import org.apache.parquet.schema.LogicalTypeAnnotation.ListLogicalTypeAnnotation;
import org.apache.parquet.schema.LogicalTypeAnnotation.MapLogicalTypeAnnotation;
import org.apache.parquet.schema.LogicalTypeAnnotation.StringLogicalTypeAnnotation;
import org.apache.parquet.schema.LogicalTypeAnnotation.TimeLogicalTypeAnnotation;
import org.apache.parquet.schema.LogicalTypeAnnotation.TimestampLogicalTypeAnnotation;
import org.apache.parquet.schema.MessageType;
import org.apache.parquet.schema.Type;

public class RowReader {
    static final PrintStream out = new PrintStream(System.out, false, StandardCharsets.UTF_8);
    static final DateTimeFormatter MILLIS = DateTimeFormatter.ofPattern("uuuu-MM-dd'T'HH:mm:ss.SSS");

    public static void main(String[] arguments) throws Exception {
        for (int at = 0; at < arguments.length;) {
            switch (arguments[at++]) {
                case "rows" -> rows(arguments[at++]);
                case "encodings" -> encodings(arguments[at++]);
                default -> candidates(arguments[at++], arguments[at++], arguments[at++]);
            }
            out.println("--");
        }
        out.flush();
    }

    static ParquetFileReader open(String file, ParquetReadOptions.Builder options) throws Exception {
        return ParquetFileReader.open(
            new LocalInputFile(Path.of(file)), options.usePageChecksumVerification(true).build());
    }

    static void rows(String file) throws Exception {
        try (ParquetFileReader reader = open(file, ParquetReadOptions.builder())) {
            MessageType schema = reader.getFileMetaData().getSchema();
            MessageColumnIO columns = new ColumnIOFactory().getColumnIO(schema);
            PageReadStore pages;
            while ((pages = reader.readNextRowGroup()) != null) {
                RecordReader<Group> records = columns.getRecordReader(pages, new GroupRecordConverter(schema));
                for (long row = 0; row < pages.getRowCount(); row++) {
                    StringBuilder line = new StringBuilder();
                    members(line, records.read(), schema);
                    out.println(line);
                }
            }
        }
    }

    static void encodings(String file) throws Exception {
        Set<String> found = new TreeSet<>();
        try (ParquetFileReader reader = open(file, ParquetReadOptions.builder())) {
            reader.getFooter().getBlocks().forEach(block -> block.getColumns().forEach(column -> {
                column.getEncodings().forEach(encoding -> found.add(encoding.name()));
                found.add(column.getEncodingStats().usesV2Pages() ? "pages of version 2" : "pages of version 1");
            }));
        }
        found.forEach(out::println);
    }

    /** How many rows are in the pages that could have the value. */
    static void candidates(String file, String column, String value) throws Exception {
        FilterPredicate equal = value.matches("-?\\d+")
            ? FilterApi.eq(FilterApi.longColumn(column), Long.parseLong(value))
            : FilterApi.eq(FilterApi.binaryColumn(column), Binary.fromString(value));
        ParquetReadOptions.Builder options = ParquetReadOptions.builder().withRecordFilter(FilterCompat.get(equal))
            .useStatsFilter(true).useDictionaryFilter(true).useColumnIndexFilter(true).useBloomFilter(true);
        try (ParquetFileReader reader = open(file, options)) {
            out.println(reader.getFilteredRecordCount());
        }
    }

    static void members(StringBuilder line, Group group, GroupType type) {
        line.append('{');
        for (int index = 0; index < type.getFieldCount(); index++) {
            line.append(index > 0 ? "," : "");
            text(line, type.getFieldName(index));
            line.append(':');
            value(line, group, index, type.getType(index));
        }
        line.append('}');
    }

    static void value(StringBuilder line, Group group, int index, Type type) {
        if (group.getFieldRepetitionCount(index) == 0) {
            line.append("null");
        } else if (type.isPrimitive()) {
            primitive(line, group, index, type);
        } else if (type.getLogicalTypeAnnotation() instanceof ListLogicalTypeAnnotation) {
            repeated(line, group.getGroup(index, 0), type.asGroupType(), false);
        } else if (type.getLogicalTypeAnnotation() instanceof MapLogicalTypeAnnotation) {
            repeated(line, group.getGroup(index, 0), type.asGroupType(), true);
        } else {
            members(line, group.getGroup(index, 0), type.asGroupType());
        }
    }

    static void repeated(StringBuilder line, Group group, GroupType type, boolean isMap) {
        GroupType entry = type.getType(0).asGroupType();
        line.append(isMap ? '{' : '[');
        for (int item = 0; item < group.getFieldRepetitionCount(0); item++) {
            line.append(item > 0 ? "," : "");
            Group fields = group.getGroup(0, item);
            value(line, fields, 0, entry.getType(0));
            if (isMap) {
                line.append(':');
                value(line, fields, 1, entry.getType(1));
            }
        }
        line.append(isMap ? '}' : ']');
    }

    static void primitive(StringBuilder line, Group group, int index, Type type) {
        LogicalTypeAnnotation kind = type.getLogicalTypeAnnotation();
        switch (type.asPrimitiveType().getPrimitiveTypeName()) {
            case BOOLEAN -> line.append(group.getBoolean(index, 0));
            case FLOAT -> line.append('"').append(group.getFloat(index, 0)).append('"');
            case DOUBLE -> line.append('"').append(group.getDouble(index, 0)).append('"');
            case INT32 -> whole(line, group.getInteger(index, 0), kind);
            case INT64 -> whole(line, group.getLong(index, 0), kind);
            default -> {
                byte[] bytes = group.getBinary(index, 0).getBytes();
                if (kind instanceof DecimalLogicalTypeAnnotation decimal) {
                    text(line, new BigDecimal(new BigInteger(bytes), decimal.getScale()).toPlainString());
                } else if (kind instanceof StringLogicalTypeAnnotation) {
                    text(line, new String(bytes, StandardCharsets.UTF_8));
                } else {
                    text(line, Base64.getEncoder().encodeToString(bytes));
                }
            }
        }
    }

    static void whole(StringBuilder line, long value, LogicalTypeAnnotation kind) {
        if (kind instanceof DecimalLogicalTypeAnnotation decimal) {
            text(line, BigDecimal.valueOf(value, decimal.getScale()).toPlainString());
        } else if (kind instanceof DateLogicalTypeAnnotation) {
            text(line, LocalDate.ofEpochDay(value).toString());
        } else if (kind instanceof TimeLogicalTypeAnnotation) {
            String time = LocalTime.ofNanoOfDay(value * 1_000_000).format(DateTimeFormatter.ofPattern("HH:mm:ss.SSS"));
            text(line, trimmed(time));
        } else if (kind instanceof TimestampLogicalTypeAnnotation timestamp) {
            String moment = Instant.ofEpochMilli(value).atOffset(ZoneOffset.UTC).format(MILLIS);
            text(line, moment + (timestamp.isAdjustedToUTC() ? "Z" : ""));
        } else {
            line.append(value);
        }
    }

    /** A time without the zeros behind the point's last digit. */
    static String trimmed(String time) {
        String seconds = time.substring(0, 8), fraction = time.substring(9).replaceAll("0+$", "");
        return fraction.isEmpty() ? seconds : seconds + "." + fraction;
    }

    static void text(StringBuilder line, String text) {
        line.append('"');
        for (char letter : text.toCharArray()) {
            if (letter < 32 || letter == '"' || letter == '\\') {
                line.append(String.format("\\u%04x", (int) letter));
            } else {
                line.append(letter);
            }
        }
        line.append('"');
    }
}

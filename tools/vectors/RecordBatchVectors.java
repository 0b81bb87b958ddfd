import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Base64;
import java.util.Iterator;
import java.util.List;
import java.util.Random;
import org.apache.kafka.clients.producer.internals.BuiltInPartitioner;
import org.apache.kafka.common.compress.Compression;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.apache.kafka.common.record.TimestampType;
import org.apache.kafka.common.record.internal.CompressionType;
import org.apache.kafka.common.record.internal.ControlRecordType;
import org.apache.kafka.common.record.internal.DefaultRecordBatch;
import org.apache.kafka.common.record.internal.EndTransactionMarker;
import org.apache.kafka.common.record.internal.MemoryRecords;
import org.apache.kafka.common.record.internal.MemoryRecordsBuilder;
import org.apache.kafka.common.record.internal.Record;
import org.apache.kafka.common.record.internal.RecordBatch;
import org.apache.kafka.common.utils.Utils;
import org.apache.kafka.common.utils.internals.ByteBufferOutputStream;

/**
 * Record batches and key hashes as Kafka's own classes make them, one JSON object per line.
 *
 * <pre>
 * RecordBatchVectors batches SEED   every combination of format, codec, timestamp type, kind and content
 * RecordBatchVectors keys SEED      10,000 keys with their murmur2 hash and partition
 * RecordBatchVectors read           reads "name base64" lines and prints what Kafka finds in the batches
 * </pre>
 */
public final class RecordBatchVectors {
    private static final PrintStream OUT = new PrintStream(System.out, false, StandardCharsets.UTF_8);
    private static final long LOG_APPEND_TIME = 1_700_000_123_456L;
    private static final long PRODUCER_ID = 4_294_967_299_123L;
    private static final short PRODUCER_EPOCH = 321;
    private static final int BASE_SEQUENCE = 2_147_483_600;
    private static final int LEADER_EPOCH = 77;

    public static void main(String[] args) throws IOException {
        switch (args[0]) {
            case "batches" -> writeBatches(Long.parseLong(args[1]));
            case "keys" -> writeKeys(Long.parseLong(args[1]));
            case "read" -> readBatches();
            default -> throw new IllegalArgumentException(args[0]);
        }
        OUT.flush();
    }

    /** One record to append; -1 as offset takes the next. */
    private record Entry(long offset, long timestamp, byte[] key, byte[] value, Header[] headers) { }

    /** What is appended, and the offset that the batch is made to end with (-1: that of its last record). */
    private record Content(String name, long baseOffset, List<Entry> entries, long lastOffset) { }

    private static void writeBatches(long seed) {
        Random random = new Random(seed);
        for (byte magic = 0; magic <= 2; magic++) {
            for (CompressionType codec : CompressionType.values()) {
                if (codec == CompressionType.ZSTD && magic < 2) continue;
                for (TimestampType type : List.of(TimestampType.CREATE_TIME, TimestampType.LOG_APPEND_TIME)) {
                    if (magic == 0 && type == TimestampType.LOG_APPEND_TIME) continue;
                    for (String kind : List.of("plain", "idempotent", "transactional", "control")) {
                        if (magic < 2 && !kind.equals("plain")) continue;
                        writeKind(magic, codec, type, kind, random);
                    }
                }
            }
        }
    }

    private static void writeKind(byte magic, CompressionType codec, TimestampType type, String kind, Random random) {
        if (kind.equals("control")) {
            for (ControlRecordType control : List.of(ControlRecordType.COMMIT, ControlRecordType.ABORT)) {
                writeControl(codec, type, control, random);
            }
        } else {
            boolean isFirst = kind.equals("plain") && type == TimestampType.CREATE_TIME;
            for (Content content : contents(magic, random, isFirst)) {
                write(magic, codec, type, kind, content);
            }
        }
        if (magic == 2 && codec == CompressionType.NONE) writeEmpty(type, kind);
    }

    private static List<Content> contents(byte magic, Random random, boolean withLarge) {
        List<Content> contents = new ArrayList<>();
        contents.add(new Content("values", 0, values(random), -1));
        contents.add(new Content("nulls", 1_000_000_007L, nulls(random), -1));
        contents.add(new Content("gaps", 5_000_000_000L, gaps(random), magic == 2 ? 5_000_000_900L : -1));
        if (withLarge) contents.add(new Content("large", 12, large(random), -1));
        contents.add(new Content("int32", 0, int32Deltas(), -1));
        if (magic > 0) contents.add(new Content("int64", magic == 2 ? Long.MAX_VALUE - 10 : 4_611_686_018_427_387_905L, int64Deltas(), -1));
        if (magic > 0) contents.add(new Content("int64-back", 3, int64DeltasBack(), -1));
        if (magic == 2) contents.add(new Content("headers", 42, headers(random), -1));
        return contents;
    }

    private static List<Entry> values(Random random) {
        List<Entry> entries = new ArrayList<>();
        long timestamp = 1_700_000_000_000L;
        for (int index = 0; index < 20; index++) {
            timestamp += random.nextInt(401) - 200;
            entries.add(new Entry(-1, timestamp, text(random, 20), text(random, 200), Record.EMPTY_HEADERS));
        }
        return entries;
    }

    private static List<Entry> nulls(Random random) {
        byte[] empty = new byte[0];
        byte[] bytes = new byte[70];
        random.nextBytes(bytes);
        List<Entry> entries = new ArrayList<>();
        for (byte[] key : new byte[][] {null, empty, bytes}) {
            for (byte[] value : new byte[][] {null, empty, bytes}) {
                entries.add(new Entry(-1, 1_600_000_000_000L, key, value, Record.EMPTY_HEADERS));
            }
        }
        return entries;
    }

    private static List<Entry> gaps(Random random) {
        List<Entry> entries = new ArrayList<>();
        for (long delta : new long[] {5, 6, 63, 64, 65, 200, 800}) {
            entries.add(new Entry(5_000_000_000L + delta, 1_650_000_000_000L + delta * 1_000, text(random, 9), text(random, 30), Record.EMPTY_HEADERS));
        }
        return entries;
    }

    /** More than two blocks of 64 KiB, with content that compresses, and some that does not. */
    private static List<Entry> large(Random random) {
        List<Entry> entries = new ArrayList<>();
        byte[] noise = new byte[3_000];
        random.nextBytes(noise);
        for (int index = 0; index < 45; index++) {
            byte[] value = index % 15 == 0 ? noise : ("{\"number\":" + index + ",\"text\":\"" + "Kafka and Kavka ".repeat(190) + "\"}").getBytes(StandardCharsets.UTF_8);
            entries.add(new Entry(-1, 1_690_000_000_000L + index, ("k" + index).getBytes(StandardCharsets.UTF_8), value, Record.EMPTY_HEADERS));
        }
        return entries;
    }

    private static List<Entry> int32Deltas() {
        long base = 1L << 33;
        long[] timestamps = {
            base, base + Integer.MAX_VALUE - 1, base + Integer.MAX_VALUE, base + Integer.MAX_VALUE + 1L,
            base + Integer.MIN_VALUE, base + Integer.MIN_VALUE - 1L, base + (1L << 32), base - (1L << 32),
        };
        List<Entry> entries = new ArrayList<>();
        for (int index = 0; index < timestamps.length; index++) {
            long offset = index < 4 ? index : Integer.MAX_VALUE - (timestamps.length - 1L - index);
            entries.add(new Entry(offset, timestamps[index], null, new byte[] {(byte) index}, Record.EMPTY_HEADERS));
        }
        return entries;
    }

    /** Timestamps that a double holds exactly, with deltas from 0 up to the end of int64. */
    private static List<Entry> int64Deltas() {
        long[] timestamps = {
            0, 1, (1L << 48) - 1, 1L << 48, (1L << 53) - 1, 1L << 53, 1L << 55, 1L << 56, 1L << 62, Long.MAX_VALUE - 1_023,
        };
        List<Entry> entries = new ArrayList<>();
        for (long timestamp : timestamps) entries.add(new Entry(-1, timestamp, null, null, Record.EMPTY_HEADERS));
        return entries;
    }

    /** Timestamps that a double does not hold, and deltas down to the other end. */
    private static List<Entry> int64DeltasBack() {
        long[] timestamps = {Long.MAX_VALUE, 0, 1, (1L << 53) + 1, Long.MAX_VALUE - 1, 1L << 62, -1};
        List<Entry> entries = new ArrayList<>();
        for (long timestamp : timestamps) entries.add(new Entry(-1, timestamp, null, null, Record.EMPTY_HEADERS));
        return entries;
    }

    private static List<Entry> headers(Random random) {
        List<Entry> entries = new ArrayList<>();
        byte[] large = new byte[300];
        random.nextBytes(large);
        Header[] twice = {
            new RecordHeader("source", "web".getBytes(StandardCharsets.UTF_8)),
            new RecordHeader("source", null),
            new RecordHeader("", new byte[0]),
            new RecordHeader("žluťoučký", "kůň".getBytes(StandardCharsets.UTF_8)),
            new RecordHeader("k".repeat(70), large),
        };
        entries.add(new Entry(-1, 5, null, null, twice));
        entries.add(new Entry(-1, 6, text(random, 5), text(random, 10), Record.EMPTY_HEADERS));
        Header[] many = new Header[70];
        for (int index = 0; index < many.length; index++) many[index] = new RecordHeader("h" + index, index % 3 == 0 ? null : text(random, 8));
        entries.add(new Entry(-1, 7, null, new byte[0], many));
        return entries;
    }

    private static byte[] text(Random random, int maxLength) {
        return randomText(random, random.nextInt(maxLength + 1)).getBytes(StandardCharsets.UTF_8);
    }

    private static String randomText(Random random, int length) {
        StringBuilder text = new StringBuilder();
        for (int index = 0; index < length; index++) {
            int kind = random.nextInt(20);
            if (kind < 16) text.append((char) (32 + random.nextInt(95)));
            else if (kind < 18) text.append((char) (0xA1 + random.nextInt(0x500)));
            else if (kind < 19) text.append((char) (0x4E00 + random.nextInt(0x2000)));
            else text.appendCodePoint(0x1F300 + random.nextInt(0x200));
        }
        return text.toString();
    }

    private static void write(byte magic, CompressionType codec, TimestampType type, String kind, Content content) {
        ByteBufferOutputStream stream = new ByteBufferOutputStream(1024);
        try (MemoryRecordsBuilder builder = builder(stream, magic, codec, type, kind, content.baseOffset)) {
            for (Entry entry : content.entries) {
                if (entry.offset < 0) builder.append(entry.timestamp, entry.key, entry.value, entry.headers);
                else builder.appendWithOffset(entry.offset, entry.timestamp, entry.key, entry.value, entry.headers);
            }
            if (content.lastOffset >= 0) builder.overrideLastOffset(content.lastOffset);
            print(magic, codec, type, kind, content, builder.build().buffer().duplicate());
        }
    }

    private static void writeControl(CompressionType codec, TimestampType type, ControlRecordType control, Random random) {
        int coordinatorEpoch = random.nextInt(1_000);
        ByteBufferOutputStream stream = new ByteBufferOutputStream(1024);
        try (MemoryRecordsBuilder builder = builder(stream, (byte) 2, codec, type, "control", 99)) {
            builder.appendEndTxnMarker(1_680_000_000_000L, new EndTransactionMarker(control, coordinatorEpoch));
            Entry entry = new Entry(-1, 1_680_000_000_000L, null, null, Record.EMPTY_HEADERS);
            String name = control == ControlRecordType.COMMIT ? "commit" : "abort";
            print((byte) 2, codec, type, "control", new Content(name, 99, List.of(entry), coordinatorEpoch), builder.build().buffer().duplicate());
        }
    }

    /** What compaction leaves of a batch without records; Kafka writes it uncompressed whatever the codec was. */
    private static void writeEmpty(TimestampType type, String kind) {
        ByteBuffer buffer = ByteBuffer.allocate(DefaultRecordBatch.RECORD_BATCH_OVERHEAD);
        boolean isPlain = kind.equals("plain");
        DefaultRecordBatch.writeEmptyHeader(buffer, (byte) 2, isPlain ? -1 : PRODUCER_ID, isPlain ? -1 : PRODUCER_EPOCH,
            isPlain ? -1 : BASE_SEQUENCE, 500, 510, LEADER_EPOCH, type, LOG_APPEND_TIME,
            kind.equals("transactional") || kind.equals("control"), kind.equals("control"));
        buffer.flip();
        print((byte) 2, CompressionType.NONE, type, kind, new Content("empty", 500, List.of(), 510), buffer);
    }

    private static MemoryRecordsBuilder builder(ByteBufferOutputStream stream, byte magic, CompressionType codec, TimestampType type, String kind, long baseOffset) {
        boolean isPlain = kind.equals("plain");
        boolean isControl = kind.equals("control");
        return new MemoryRecordsBuilder(stream, magic, Compression.of(codec).build(), type, baseOffset,
            type == TimestampType.LOG_APPEND_TIME ? LOG_APPEND_TIME : RecordBatch.NO_TIMESTAMP,
            isPlain ? -1 : PRODUCER_ID, isPlain ? -1 : PRODUCER_EPOCH, isPlain || isControl ? -1 : BASE_SEQUENCE,
            isControl || kind.equals("transactional"), isControl, LEADER_EPOCH, Integer.MAX_VALUE);
    }

    private static void print(byte magic, CompressionType codec, TimestampType type, String kind, Content content, ByteBuffer bytes) {
        StringBuilder line = new StringBuilder("{");
        field(line, "magic", String.valueOf(magic));
        field(line, "compression", quote(codec.name));
        field(line, "timestampType", quote(type == TimestampType.CREATE_TIME ? "create" : "logAppend"));
        field(line, "kind", quote(kind));
        field(line, "content", quote(content.name));
        field(line, "lastOffset", quote(String.valueOf(content.lastOffset)));
        StringBuilder appended = new StringBuilder("[");
        for (Entry entry : content.entries) appended.append(appended.length() > 1 ? "," : "").append(quote(String.valueOf(entry.timestamp)));
        field(line, "appended", appended.append("]").toString());
        field(line, "bytes", base64(bytes));
        field(line, "batches", batches(bytes));
        OUT.print(line.append("}\n"));
    }

    private static String batches(ByteBuffer bytes) {
        StringBuilder text = new StringBuilder("[");
        for (RecordBatch batch : MemoryRecords.readableRecords(bytes.duplicate()).batches()) {
            batch.ensureValid();
            StringBuilder one = new StringBuilder("{");
            field(one, "baseOffset", quote(String.valueOf(batch.baseOffset())));
            field(one, "lastOffset", quote(String.valueOf(batch.lastOffset())));
            field(one, "magic", String.valueOf(batch.magic()));
            field(one, "compression", quote(batch.compressionType().name));
            field(one, "timestampType", quote(batch.timestampType().name));
            field(one, "maxTimestamp", quote(String.valueOf(batch.maxTimestamp())));
            field(one, "checksum", String.valueOf(batch.checksum()));
            field(one, "producerId", quote(String.valueOf(batch.producerId())));
            field(one, "producerEpoch", String.valueOf(batch.producerEpoch()));
            field(one, "baseSequence", String.valueOf(batch.baseSequence()));
            field(one, "partitionLeaderEpoch", String.valueOf(batch.partitionLeaderEpoch()));
            field(one, "isTransactional", String.valueOf(batch.isTransactional()));
            field(one, "isControl", String.valueOf(batch.isControlBatch()));
            field(one, "records", records(batch));
            if (text.length() > 1) text.append(",");
            text.append(one).append("}");
        }
        return text.append("]").toString();
    }

    private static String records(RecordBatch batch) {
        StringBuilder text = new StringBuilder("[");
        for (Iterator<Record> records = batch.iterator(); records.hasNext();) {
            Record record = records.next();
            record.ensureValid();
            StringBuilder one = new StringBuilder("{");
            field(one, "offset", quote(String.valueOf(record.offset())));
            field(one, "timestamp", quote(String.valueOf(record.timestamp())));
            field(one, "key", base64(record.key()));
            field(one, "value", base64(record.value()));
            if (batch.isControlBatch()) field(one, "control", quote(ControlRecordType.parse(record.key()).name()));
            StringBuilder headers = new StringBuilder("[");
            for (Header header : record.headers()) {
                byte[] value = header.value();
                headers.append(headers.length() > 1 ? "," : "").append("[").append(quote(header.key())).append(",")
                    .append(base64(value == null ? null : ByteBuffer.wrap(value))).append("]");
            }
            field(one, "headers", headers.append("]").toString());
            if (text.length() > 1) text.append(",");
            text.append(one).append("}");
        }
        return text.append("]").toString();
    }

    private static void writeKeys(long seed) {
        Random random = new Random(seed);
        for (int index = 0; index < 10_000; index++) {
            int partitions = 1 + random.nextInt(1_000);
            String text = index % 2 == 0 ? randomText(random, random.nextInt(40)) : null;
            byte[] key;
            if (text == null) {
                key = new byte[random.nextInt(60)];
                random.nextBytes(key);
            } else {
                key = text.getBytes(StandardCharsets.UTF_8);
            }
            OUT.print("[" + (text == null ? "null" : quote(text)) + "," + base64(text == null ? ByteBuffer.wrap(key) : null) + "," + Utils.murmur2(key) + ","
                + partitions + "," + BuiltInPartitioner.partitionForKey(key, partitions) + "]\n");
        }
    }

    private static void readBatches() throws IOException {
        BufferedReader input = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = input.readLine(); line != null; line = input.readLine()) {
            int space = line.lastIndexOf(' ');
            byte[] bytes = Base64.getDecoder().decode(line.substring(space + 1));
            OUT.print("{\"name\":" + quote(line.substring(0, space)) + ",\"batches\":" + batches(ByteBuffer.wrap(bytes)) + "}\n");
        }
    }

    private static void field(StringBuilder object, String name, String json) {
        if (object.length() > 1) object.append(",");
        object.append('"').append(name).append("\":").append(json);
    }

    private static String base64(ByteBuffer bytes) {
        if (bytes == null) return "null";
        return quote(Base64.getEncoder().encodeToString(Utils.toArray(bytes.duplicate())));
    }

    private static String quote(String text) {
        StringBuilder quoted = new StringBuilder("\"");
        for (char character : text.toCharArray()) {
            if (character == '"' || character == '\\') quoted.append('\\').append(character);
            else if (character < 32 || character > 126) quoted.append(String.format("\\u%04x", (int) character));
            else quoted.append(character);
        }
        return quoted.append('"').toString();
    }
}

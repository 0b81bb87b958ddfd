import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.BinaryNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.BufferedWriter;
import java.io.OutputStreamWriter;
import java.io.Writer;
import java.lang.reflect.Field;
import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.lang.reflect.ParameterizedType;
import java.lang.reflect.Type;
import java.net.JarURLConnection;
import java.net.URL;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Base64;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeSet;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.message.ApiMessageType;
import org.apache.kafka.common.protocol.ApiKeys;
import org.apache.kafka.common.protocol.ByteBufferAccessor;
import org.apache.kafka.common.protocol.Message;
import org.apache.kafka.common.protocol.MessageUtil;
import org.apache.kafka.common.protocol.types.BoundField;
import org.apache.kafka.common.protocol.types.Schema;
import org.apache.kafka.common.protocol.types.TaggedFields;

/**
 * Makes golden messages with Kafka's own generated classes: for every message and version one with every nullable field null,
 * one with every collection filled and every field set, and some from a seed. One JSON object per line on standard output.
 *
 * Usage: MessageVectors vectors SEED | MessageVectors versions
 */
public class MessageVectors {
    private static final String PACKAGE = "org.apache.kafka.common.message.";
    private static final ObjectMapper MAPPER = new ObjectMapper();
    private static final int RANDOM_VECTORS = 2;

    public static void main(String[] args) throws Exception {
        try (Writer out = new BufferedWriter(new OutputStreamWriter(System.out, StandardCharsets.UTF_8))) {
            for (ApiKeys api : ApiKeys.values()) if (api.hasValidVersion()) writeApi(out, api);
            if (args[0].equals("versions")) return;
            long seed = Long.parseLong(args[1]);
            for (String name : messageClassNames()) writeMessages(out, Class.forName(PACKAGE + name), seed);
        }
    }

    /** What the release says of an API as a whole. */
    private static void writeApi(Writer out, ApiKeys api) throws Exception {
        ApiMessageType type = api.messageType;
        ObjectNode line = MAPPER.createObjectNode();
        line.put("api", api.name).put("key", type.apiKey());
        line.put("minVersion", type.lowestSupportedVersion()).put("maxVersion", type.highestSupportedVersion(false));
        short last = type.highestSupportedVersion(true);
        line.put("lastVersion", last);
        ArrayNode requestHeaders = line.putArray("requestHeaderVersions");
        ArrayNode responseHeaders = line.putArray("responseHeaderVersions");
        for (short version = type.lowestSupportedVersion(); version <= last; version++) {
            requestHeaders.add(type.requestHeaderVersion(version));
            responseHeaders.add(type.responseHeaderVersion(version));
        }
        out.write(MAPPER.writeValueAsString(line) + "\n");
    }

    private static TreeSet<String> messageClassNames() throws Exception {
        URL folder = ApiMessageType.class.getResource("ApiMessageType.class");
        TreeSet<String> names = new TreeSet<>();
        ((JarURLConnection) folder.openConnection()).getJarFile().stream().forEach(entry -> {
            String path = entry.getName();
            String prefix = PACKAGE.replace('.', '/');
            if (!path.startsWith(prefix) || !path.endsWith(".class") || path.contains("$")) return;
            String name = path.substring(prefix.length(), path.length() - ".class".length());
            if (isMessage(name)) names.add(name);
        });
        return names;
    }

    private static boolean isMessage(String name) {
        try {
            Class<?> type = Class.forName(PACKAGE + name);
            return Message.class.isAssignableFrom(type) && !type.isInterface();
        } catch (ClassNotFoundException e) {
            throw new IllegalStateException(e);
        }
    }

    private static void writeMessages(Writer out, Class<?> type, long seed) throws Exception {
        short first = type.getField("LOWEST_SUPPORTED_VERSION").getShort(null);
        short last = type.getField("HIGHEST_SUPPORTED_VERSION").getShort(null);
        for (short version = first; version <= last; version++) {
            writeVector(out, type, version, "nulls", seed);
            writeVector(out, type, version, "filled", seed);
            for (int i = 1; i <= RANDOM_VECTORS; i++) writeVector(out, type, version, "random" + i, seed);
        }
    }

    private static void writeVector(Writer out, Class<?> type, short version, String kind, long seed) throws Exception {
        String name = type.getSimpleName().replaceAll("(Request|Response|Header)Data$", "$1");
        // A seed of its own for each: another message or version leaves all other vectors as they are.
        Random random = new Random(seed ^ ((name + version + kind).hashCode() * 0x9E3779B97F4A7C15L));
        Schema schema = ((Schema[]) type.getField("SCHEMAS").get(null))[version];
        Message message = (Message) new Filler(kind, random).fill(type, schema);
        ByteBufferAccessor bytes = MessageUtil.toByteBufferAccessor(message, version);
        byte[] array = MessageUtil.byteBufferToArray(bytes.buffer());
        requireSameWhenRead(type, version, message, array);
        ObjectNode line = MAPPER.createObjectNode();
        line.put("message", name).put("version", version).put("kind", kind);
        JsonNode json = toJson(type, version, message);
        fillRecords(json, message);
        line.set("values", json);
        line.put("bytes", Base64.getEncoder().encodeToString(array));
        out.write(MAPPER.writeValueAsString(line) + "\n");
    }

    private static void requireSameWhenRead(Class<?> type, short version, Message message, byte[] array) throws Exception {
        Message read = (Message) type.getConstructor().newInstance();
        read.read(new ByteBufferAccessor(ByteBuffer.wrap(array)), version);
        if (!read.equals(message)) throw new IllegalStateException("Java does not read what it wrote: " + message);
    }

    private static JsonNode toJson(Class<?> type, short version, Message message) throws Exception {
        Class<?> converter = Class.forName(type.getName() + "JsonConverter");
        return (JsonNode) converter.getMethod("write", type, short.class).invoke(null, message, version);
    }

    /** Kafka's converters write the size of records, or nothing, instead of the bytes. */
    private static void fillRecords(JsonNode json, Object message) throws Exception {
        for (Field field : dataFields(message.getClass())) {
            Object value = get(message, field);
            JsonNode child = json.get(field.getName());
            if (isRecords(field.getType())) {
                ((ObjectNode) json).remove("recordsSizeInBytes");
                if (value != null) ((ObjectNode) json).set(field.getName(), new BinaryNode(Records.bytes(value)));
                else ((ObjectNode) json).putNull(field.getName());
            } else if (value instanceof Message && child != null) {
                fillRecords(child, value);
            } else if (value instanceof Collection && child != null) {
                int index = 0;
                for (Object element : (Collection<?>) value) {
                    if (element instanceof Message) fillRecords(child.get(index), element);
                    index++;
                }
            }
        }
    }

    private static boolean isRecords(Class<?> type) {
        return type.getSimpleName().equals("BaseRecords");
    }

    private static List<Field> dataFields(Class<?> type) {
        List<Field> fields = new ArrayList<>();
        for (Field field : type.getDeclaredFields()) {
            if (!Modifier.isStatic(field.getModifiers()) && !field.getName().startsWith("_")) fields.add(field);
        }
        return fields;
    }

    private static Object get(Object owner, Field field) throws Exception {
        try {
            Method method = owner.getClass().getMethod(field.getName());
            return method.invoke(owner);
        } catch (NoSuchMethodException e) {
            return null; // the links between the elements of a map collection
        }
    }

    /** Fills a message with the fields that its schema has in one version. */
    private static final class Filler {
        private final String kind;
        private final Random random;

        Filler(String kind, Random random) {
            this.kind = kind;
            this.random = random;
        }

        Object fill(Class<?> type, Schema schema) throws Exception {
            Object message = type.getConstructor().newInstance();
            for (Map.Entry<String, org.apache.kafka.common.protocol.types.Type> entry : schemaFields(schema).entrySet()) {
                Field field = fieldNamed(type, entry.getKey());
                Method setter = type.getMethod("set" + capital(field.getName()), field.getType());
                setter.invoke(message, value(entry.getValue(), field.getType(), field.getGenericType()));
            }
            return message;
        }

        private Object value(org.apache.kafka.common.protocol.types.Type type, Class<?> javaType, Type generic) throws Exception {
            if (type.isNullable() && wantsNull()) return null;
            if (type.isArray()) return collection(type.arrayElementType().get(), javaType, generic);
            if (type instanceof Schema) return fill(javaType, (Schema) type);
            return primitive(type.toString(), javaType);
        }

        @SuppressWarnings("unchecked")
        private Object collection(org.apache.kafka.common.protocol.types.Type element, Class<?> javaType, Type generic) throws Exception {
            Collection<Object> all;
            Class<?> elementClass;
            if (javaType == List.class) {
                all = new ArrayList<>();
                elementClass = (Class<?>) rawArgument((ParameterizedType) generic);
            } else {
                all = (Collection<Object>) javaType.getConstructor().newInstance();
                elementClass = (Class<?>) rawArgument((ParameterizedType) javaType.getGenericSuperclass());
            }
            int size = kind.equals("nulls") ? 1 : kind.equals("filled") ? 2 : random.nextInt(4);
            for (int i = 0; i < size; i++) all.add(value(element, elementClass, elementClass));
            return all;
        }

        private static Type rawArgument(ParameterizedType type) {
            Type argument = type.getActualTypeArguments()[0];
            return argument instanceof ParameterizedType ? ((ParameterizedType) argument).getRawType() : argument;
        }

        private boolean wantsNull() {
            return kind.equals("nulls") || (!kind.equals("filled") && random.nextInt(4) == 0);
        }

        private Object primitive(String type, Class<?> javaType) {
            switch (type) {
                case "BOOLEAN": return kind.equals("filled") || random.nextBoolean();
                case "INT8": return (byte) integer(8);
                case "INT16": return (short) integer(16);
                case "UINT16": return (int) integer(17) & 0xffff;
                case "INT32": return (int) integer(32);
                case "INT64": return integer(64);
                case "FLOAT64": return random.nextInt(4) == 0 ? -0.0 : (random.nextDouble() - 0.5) * Math.pow(10, random.nextInt(40) - 20);
                case "UUID": return random.nextInt(6) == 0 && !kind.equals("filled") ? Uuid.ZERO_UUID : new Uuid(random.nextLong(), random.nextLong());
                default: break;
            }
            if (type.endsWith("STRING")) return text();
            if (isRecords(javaType)) return Records.of(bytes());
            if (type.endsWith("BYTES")) return javaType == ByteBuffer.class ? ByteBuffer.wrap(bytes()) : bytes();
            throw new IllegalStateException("No value for the type " + type);
        }

        private long integer(int bits) {
            long max = bits == 64 ? Long.MAX_VALUE : (1L << (bits - 1)) - 1;
            switch (random.nextInt(6)) {
                case 0: return max;
                case 1: return -max - 1;
                case 2: return kind.equals("filled") ? 7 : random.nextInt(2) - 1;
                default: return random.nextLong() >> (64 - bits) >> random.nextInt(bits - 1);
            }
        }

        private String text() {
            String[] pieces = {"a", "topic-", "é", "漢", "🐦", "\"", "\\", "\n", "\u0000", "0123456789", "Ω"};
            int size = kind.equals("filled") ? 1 + random.nextInt(8) : random.nextInt(12) == 0 ? 60 : random.nextInt(6);
            StringBuilder text = new StringBuilder();
            for (int i = 0; i < size; i++) text.append(pieces[random.nextInt(pieces.length)]);
            return text.toString();
        }

        private byte[] bytes() {
            byte[] bytes = new byte[kind.equals("filled") ? 140 : random.nextInt(20)];
            random.nextBytes(bytes);
            return bytes;
        }

        private static Map<String, org.apache.kafka.common.protocol.types.Type> schemaFields(Schema schema) {
            Map<String, org.apache.kafka.common.protocol.types.Type> fields = new LinkedHashMap<>();
            for (BoundField bound : schema.fields()) {
                if (bound.def.type instanceof TaggedFields) {
                    ((TaggedFields) bound.def.type).fields().values().forEach(field -> fields.put(field.name, field.type));
                } else {
                    fields.put(bound.def.name, bound.def.type);
                }
            }
            return fields;
        }

        private static Field fieldNamed(Class<?> type, String snake) {
            String wanted = snake.replace("_", "").toLowerCase();
            for (Field field : dataFields(type)) if (field.getName().toLowerCase().equals(wanted)) return field;
            throw new IllegalStateException(type + " has no field " + snake);
        }

        private static String capital(String name) {
            return Character.toUpperCase(name.charAt(0)) + name.substring(1);
        }
    }

    /** The classes for records moved between packages from one release to the next. */
    private static final class Records {
        static Object of(byte[] bytes) {
            try {
                Class<?> type = memoryRecords();
                return type.getMethod("readableRecords", ByteBuffer.class).invoke(null, ByteBuffer.wrap(bytes));
            } catch (ReflectiveOperationException e) {
                throw new IllegalStateException(e);
            }
        }

        static byte[] bytes(Object records) throws Exception {
            ByteBuffer buffer = (ByteBuffer) memoryRecords().getMethod("buffer").invoke(records);
            byte[] bytes = new byte[buffer.remaining()];
            buffer.duplicate().get(bytes);
            return bytes;
        }

        private static Class<?> memoryRecords() throws ClassNotFoundException {
            try {
                return Class.forName("org.apache.kafka.common.record.internal.MemoryRecords");
            } catch (ClassNotFoundException e) {
                return Class.forName("org.apache.kafka.common.record.MemoryRecords");
            }
        }
    }
}

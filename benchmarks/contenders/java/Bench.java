import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.lang.management.GarbageCollectorMXBean;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Properties;
import java.util.concurrent.Semaphore;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/** One round of the Java client: takes a job as JSON, prints a measurement as JSON, like benchmarks/workload.ts does for Node clients. */
public final class Bench {
  private static final int SINGLES_IN_FLIGHT = 10_000;
  private static final int BULK_LISTS_UNDER_WAY = 64;
  private static final int MAX_RECORD_BYTES = 4 << 20;
  private static final int BATCH_BYTES = 128 * 1024;

  private final JsonNode job;
  private final String topic;
  private final int listSize;
  private final int valueBytes;

  private record Entry(byte[] key, byte[] value) {}

  private record Mark(long nanos, long cpuNanos, long gcMillis, long records) {}

  private interface Work {
    void run(AtomicBoolean over, AtomicLong acknowledged) throws Exception;
  }

  private Bench(JsonNode job) {
    this.job = job;
    topic = job.at("/target/topic").asText();
    listSize = job.at("/pool/listSize").asInt();
    valueBytes = job.at("/pool/valueBytes").asInt();
  }

  public static void main(String[] args) throws Exception {
    JsonNode job = new ObjectMapper().readTree(args[0]);
    Bench bench = new Bench(job);
    ObjectNode result =
        switch (job.get("workload").asText()) {
          case "bulk" -> bench.bulk();
          case "singles" -> bench.producing(SINGLES_IN_FLIGHT);
          case "awaited" -> bench.awaited();
          case "consume" -> bench.consume();
          default -> throw new IllegalArgumentException("no such workload");
        };
    result.put("options", result.get("options").asText() + " (Java " + System.getProperty("java.version") + ", -Xmx512m)");
    System.out.println(result);
    System.exit(0);
  }

  private static Mark mark(long records) {
    var system = (com.sun.management.OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean();
    long gc = 0;
    for (GarbageCollectorMXBean collector : ManagementFactory.getGarbageCollectorMXBeans()) gc += collector.getCollectionTime();
    return new Mark(System.nanoTime(), system.getProcessCpuTime(), gc, records);
  }

  private static double memoryMb(String field) throws Exception {
    for (String line : Files.readAllLines(Path.of("/proc/self/status"))) {
      if (line.startsWith(field + ":")) return Long.parseLong(line.replaceAll("\\D", "")) * 1024 / 1e6;
    }
    return 0;
  }

  private static ObjectNode figures(double seconds, double cpuSeconds, double gcSeconds, double records, String options) throws Exception {
    ObjectNode result = new ObjectMapper().createObjectNode();
    result.put("recordsPerSecond", records / seconds);
    result.put("cpuMicrosPerRecord", cpuSeconds * 1e6 / records);
    result.put("residentMb", memoryMb("VmRSS"));
    result.put("peakMb", memoryMb("VmHWM"));
    result.put("gcShare", gcSeconds / cpuSeconds);
    result.put("passes", 1);
    result.put("options", options);
    return result;
  }

  private Properties connection() {
    Properties config = new Properties();
    config.put("bootstrap.servers", job.at("/target/bootstrap").asText());
    config.put("client.id", "bench");
    String ca = job.at("/target/caFile").asText("");
    if (!ca.isEmpty()) {
      config.put("security.protocol", "SSL");
      config.put("ssl.truststore.type", "PEM");
      config.put("ssl.truststore.location", ca);
    }
    return config;
  }

  private KafkaProducer<byte[], byte[]> openProducer(int lingerMs) {
    Properties config = connection();
    config.put("acks", "all");
    config.put("linger.ms", lingerMs);
    config.put("batch.size", BATCH_BYTES);
    config.put("buffer.memory", 64 << 20);
    config.put("max.request.size", MAX_RECORD_BYTES);
    config.put("compression.type", job.at("/target/compression").asText());
    return new KafkaProducer<>(config, new ByteArraySerializer(), new ByteArraySerializer());
  }

  private List<Entry> readPool() throws Exception {
    byte[] bytes = Files.readAllBytes(Path.of(job.at("/pool/path").asText()));
    int keyBytes = job.at("/pool/keyBytes").asInt();
    List<Entry> entries = new ArrayList<>();
    for (int at = 0; at < bytes.length; at += keyBytes + valueBytes) {
      byte[] key = Arrays.copyOfRange(bytes, at, at + keyBytes);
      entries.add(new Entry(key, Arrays.copyOfRange(bytes, at + keyBytes, at + keyBytes + valueBytes)));
    }
    return entries;
  }

  private ObjectNode measureProducing(String options, Work work) throws Exception {
    AtomicBoolean over = new AtomicBoolean();
    AtomicLong acknowledged = new AtomicLong();
    Thread worker =
        new Thread(
            () -> {
              try {
                work.run(over, acknowledged);
              } catch (Exception error) {
                error.printStackTrace();
                System.exit(1);
              }
            });
    worker.start();
    // A virtual machine that is still loading classes is not warming up yet.
    while (acknowledged.get() == 0) Thread.sleep(5);
    Thread.sleep(job.get("warmUpMs").asLong());
    Mark from = mark(acknowledged.get());
    Thread.sleep(job.get("measureMs").asLong());
    Mark to = mark(acknowledged.get());
    over.set(true);
    ObjectNode result =
        figures(
            (to.nanos - from.nanos) / 1e9,
            (to.cpuNanos - from.cpuNanos) / 1e9,
            (to.gcMillis - from.gcMillis) / 1e3,
            to.records - from.records,
            options);
    worker.join();
    result.put("total", acknowledged.get());
    return result;
  }

  private ObjectNode bulk() throws Exception {
    int listBytes = listSize * (valueBytes + job.at("/pool/keyBytes").asInt());
    int lists = listBytes <= 400_000 ? BULK_LISTS_UNDER_WAY : Math.max(8, 24_000_000 / listBytes);
    return producing(lists * listSize);
  }

  /** The client has one way to send, a record at a time with a callback: many or few only differ in how many are outstanding. */
  private ObjectNode producing(int outstanding) throws Exception {
    List<Entry> entries = readPool();
    Semaphore room = new Semaphore(outstanding);
    KafkaProducer<byte[], byte[]> producer = openProducer(0);
    ObjectNode result =
        measureProducing(
            "idempotent, acks=all, linger.ms=0, batch.size=128 KiB, buffer.memory=64 MiB; " + outstanding + " sends with a callback outstanding",
            (over, acknowledged) -> {
              for (int turn = 0; !over.get(); turn = (turn + 1) % entries.size()) {
                Entry entry = entries.get(turn);
                room.acquire();
                producer.send(
                    new ProducerRecord<>(topic, entry.key, entry.value),
                    (metadata, error) -> {
                      if (error != null) throw new IllegalStateException(error);
                      acknowledged.incrementAndGet();
                      room.release();
                    });
              }
              producer.flush();
            });
    producer.close();
    return result;
  }

  private ObjectNode awaited() throws Exception {
    List<Entry> entries = readPool();
    List<Double> times = new ArrayList<>();
    KafkaProducer<byte[], byte[]> producer = openProducer(0);
    long measuredFrom = System.nanoTime() + job.get("warmUpMs").asLong() * 1_000_000;
    ObjectNode result =
        measureProducing(
            "idempotent, acks=all, linger.ms=0",
            (over, acknowledged) -> {
              for (int turn = 0; !over.get(); turn = (turn + 1) % entries.size()) {
                Entry entry = entries.get(turn);
                long start = System.nanoTime();
                producer.send(new ProducerRecord<>(topic, entry.key, entry.value)).get();
                acknowledged.incrementAndGet();
                if (start > measuredFrom) times.add((System.nanoTime() - start) / 1e6);
              }
            });
    producer.close();
    times.sort(null);
    ObjectNode latency = result.putObject("latencyMs");
    latency.put("p50", times.get((int) (times.size() * 0.5)));
    latency.put("p99", times.get((int) (times.size() * 0.99)));
    latency.put("p999", times.get((int) (times.size() * 0.999)));
    return result;
  }

  private ObjectNode consume() throws Exception {
    long records = job.get("records").asLong();
    long measureMs = job.get("measureMs").asLong();
    readAll(0, records);
    double seconds = 0;
    double cpuSeconds = 0;
    double gcSeconds = 0;
    int passes = 0;
    long begin = System.nanoTime();
    while (seconds * 1000 < measureMs && System.nanoTime() - begin < 4 * measureMs * 1_000_000) {
      Mark[] marks = readAll(++passes, records);
      double share = marks[1].records / Math.max(1.0, marks[1].records - marks[0].records);
      seconds += (marks[1].nanos - marks[0].nanos) / 1e9 * share;
      cpuSeconds += (marks[1].cpuNanos - marks[0].cpuNanos) / 1e9 * share;
      gcSeconds += (marks[1].gcMillis - marks[0].gcMillis) / 1e3 * share;
    }
    ObjectNode result = figures(seconds, cpuSeconds, gcSeconds, (double) records * passes, "defaults, poll, each value read");
    result.put("total", records * (passes + 1));
    result.put("passes", passes);
    return result;
  }

  /** Reads the whole topic with a new group; the time begins with the first records. */
  private Mark[] readAll(int pass, long expected) {
    Properties config = connection();
    config.put("group.id", job.get("groupPrefix").asText() + "-" + pass);
    config.put("auto.offset.reset", "earliest");
    long records = 0;
    long bytes = 0;
    long checksum = 0;
    Mark first = null;
    try (var consumer = new KafkaConsumer<>(config, new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
      consumer.subscribe(List.of(topic));
      while (records < expected) {
        var polled = consumer.poll(Duration.ofMillis(100));
        for (var record : polled) {
          bytes += record.value().length;
          checksum += record.value()[0];
        }
        records += polled.count();
        if (first == null && records > 0) first = mark(records);
      }
      Mark last = mark(records);
      if (records != expected || bytes != records * valueBytes || checksum == 0) {
        throw new IllegalStateException("Java read " + records + " records of " + bytes + " bytes instead of " + expected);
      }
      return new Mark[] {first, last};
    }
  }
}

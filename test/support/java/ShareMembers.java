import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Properties;
import java.util.stream.Collectors;
import org.apache.kafka.clients.consumer.AcknowledgeType;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.clients.consumer.KafkaShareConsumer;
import org.apache.kafka.common.serialization.StringDeserializer;

/**
 * Members of a share group, each in a thread: bootstrap, group, topic, how many. Prints "begin partition offset delivery" for each record,
 * "done partition offset" before it is accepted, "accept partition offset,…" for what the brokers have taken, and "refused partition
 * offset,… error" for what they have not; ends when its standard input does.
 */
public class ShareMembers {
    private static volatile boolean wanted = true;

    public static void main(String[] args) throws Exception {
        final List<Thread> threads = new ArrayList<>();
        for (int i = 0; i < Integer.parseInt(args[3]); i++) {
            final Thread thread = new Thread(() -> work(args));
            thread.start();
            threads.add(thread);
        }
        try {
            while (System.in.read() >= 0) { }
        } catch (java.io.IOException ended) {
            // The end all the same.
        }
        wanted = false;
        for (Thread thread : threads) thread.join();
    }

    private static void work(String[] args) {
        final Properties properties = new Properties();
        properties.put("bootstrap.servers", args[0]);
        properties.put("group.id", args[1]);
        properties.put("share.acknowledgement.mode", "explicit");
        properties.put("max.poll.records", "20");
        properties.put("metadata.max.age.ms", "1000");
        try (KafkaShareConsumer<String, String> consumer =
                 new KafkaShareConsumer<>(properties, new StringDeserializer(), new StringDeserializer())) {
            consumer.setAcknowledgementCommitCallback((offsets, error) -> {
                offsets.forEach((partition, done) -> System.out.println((error == null ? "accept " : "refused ")
                    + partition.topicPartition().partition() + " " + done.stream().map(String::valueOf).collect(Collectors.joining(","))
                    + (error == null ? "" : " " + error.getClass().getSimpleName())));
            });
            consumer.subscribe(List.of(args[2]));
            while (wanted) {
                final ConsumerRecords<String, String> records = consumer.poll(Duration.ofMillis(200));
                for (ConsumerRecord<String, String> record : records) {
                    final String place = record.partition() + " " + record.offset();
                    System.out.println("begin " + place + " " + record.deliveryCount().orElse((short) 0));
                    System.out.println("done " + place);
                    consumer.acknowledge(record, AcknowledgeType.ACCEPT);
                }
                if (!records.isEmpty()) consumer.commitSync();
            }
        }
    }
}

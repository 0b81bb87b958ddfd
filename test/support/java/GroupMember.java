import java.time.Duration;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.TreeSet;
import java.util.stream.Collectors;
import org.apache.kafka.clients.consumer.ConsumerRebalanceListener;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.StringDeserializer;

/**
 * A member of a group: bootstrap, group, "consumer" or the classes of assignors, topics. Prints "assigned" with all that it has after
 * each change, and "record" with each record; ends when its standard input does.
 */
public class GroupMember {
    private static volatile boolean wanted = true;

    public static void main(String[] args) throws Exception {
        final Thread watcher = new Thread(GroupMember::awaitEnd);
        watcher.setDaemon(true);
        watcher.start();
        try (KafkaConsumer<String, String> consumer = new KafkaConsumer<>(settings(args), new StringDeserializer(), new StringDeserializer())) {
            consumer.subscribe(List.of(args[3].split(",")), new ConsumerRebalanceListener() {
                @Override public void onPartitionsRevoked(Collection<TopicPartition> partitions) { }
                @Override public void onPartitionsAssigned(Collection<TopicPartition> partitions) { }
            });
            String last = "";
            while (wanted) {
                for (ConsumerRecord<String, String> record : consumer.poll(Duration.ofMillis(100))) {
                    System.out.println("record " + record.value());
                }
                final String now = new TreeSet<>(consumer.assignment().stream().map(TopicPartition::toString).toList())
                    .stream().collect(Collectors.joining(","));
                if (!now.equals(last)) System.out.println("assigned " + now);
                last = now;
            }
        }
    }

    private static Properties settings(String[] args) {
        final Properties properties = new Properties();
        properties.putAll(Map.of(
            "bootstrap.servers", args[0],
            "group.id", args[1],
            "auto.offset.reset", "earliest",
            "metadata.max.age.ms", "1000"));
        if (args[2].equals("consumer")) {
            properties.put("group.protocol", "consumer");
        } else {
            properties.put("group.protocol", "classic");
            properties.put("partition.assignment.strategy", args[2]);
            properties.put("heartbeat.interval.ms", "200");
        }
        return properties;
    }

    private static void awaitEnd() {
        try {
            while (System.in.read() >= 0) { }
        } catch (java.io.IOException ended) {
            // The end all the same.
        }
        wanted = false;
    }
}

import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.InvalidProducerEpochException;
import org.apache.kafka.common.errors.ProducerFencedException;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;

/**
 * Copies a topic in transactions, the offsets with the records: bootstrap, input, output, group, transactional id. Every fifth
 * transaction is aborted and done again. Prints a line for each; ends when its standard input does.
 */
public class TransactionalCopy {
    private static volatile boolean wanted = true;

    public static void main(String[] args) throws Exception {
        Thread watcher = new Thread(TransactionalCopy::awaitEnd);
        watcher.setDaemon(true);
        watcher.start();
        try (KafkaProducer<String, String> producer = producer(args[0], args[4]);
             KafkaConsumer<String, String> consumer = consumer(args[0], args[3])) {
            producer.initTransactions();
            consumer.subscribe(List.of(args[1]));
            int count = 0;
            while (wanted) {
                ConsumerRecords<String, String> records = consumer.poll(Duration.ofMillis(200));
                if (records.isEmpty()) continue;
                count++;
                try {
                    boolean committed = copy(producer, consumer, records, args[2], count % 5 == 0);
                    System.out.println((committed ? "committed " : "aborted ") + records.count());
                    if (!committed) rewind(consumer);
                } catch (ProducerFencedException | InvalidProducerEpochException e) {
                    throw e;
                } catch (KafkaException e) {
                    System.out.println("failed " + e);
                    producer.abortTransaction();
                    rewind(consumer);
                }
            }
        }
    }

    private static void awaitEnd() {
        try {
            while (System.in.read() >= 0) continue;
        } catch (java.io.IOException e) {
            // it has ended
        }
        wanted = false;
    }

    private static boolean copy(KafkaProducer<String, String> producer, KafkaConsumer<String, String> consumer,
            ConsumerRecords<String, String> records, String output, boolean abort) {
        producer.beginTransaction();
        Map<TopicPartition, OffsetAndMetadata> offsets = new HashMap<>();
        for (ConsumerRecord<String, String> record : records) {
            producer.send(new ProducerRecord<>(output, record.partition(), record.key(), record.value()));
            offsets.put(new TopicPartition(record.topic(), record.partition()), new OffsetAndMetadata(record.offset() + 1));
        }
        producer.sendOffsetsToTransaction(offsets, consumer.groupMetadata());
        if (abort) producer.abortTransaction();
        else producer.commitTransaction();
        return !abort;
    }

    /** Back to what the group has committed, so that what was aborted is read again. */
    private static void rewind(KafkaConsumer<String, String> consumer) {
        Map<TopicPartition, OffsetAndMetadata> committed = consumer.committed(consumer.assignment());
        for (TopicPartition partition : consumer.assignment()) {
            OffsetAndMetadata offset = committed.get(partition);
            if (offset == null) consumer.seekToBeginning(List.of(partition));
            else consumer.seek(partition, offset.offset());
        }
    }

    private static KafkaProducer<String, String> producer(String bootstrap, String transactionalId) {
        Properties properties = new Properties();
        properties.put("bootstrap.servers", bootstrap);
        properties.put("transactional.id", transactionalId);
        properties.put("transaction.timeout.ms", "10000");
        return new KafkaProducer<>(properties, new StringSerializer(), new StringSerializer());
    }

    private static KafkaConsumer<String, String> consumer(String bootstrap, String group) {
        Properties properties = new Properties();
        properties.put("bootstrap.servers", bootstrap);
        properties.put("group.id", group);
        properties.put("enable.auto.commit", "false");
        properties.put("auto.offset.reset", "earliest");
        properties.put("isolation.level", "read_committed");
        properties.put("max.poll.records", "50");
        properties.put("session.timeout.ms", "6000");
        return new KafkaConsumer<>(properties, new StringDeserializer(), new StringDeserializer());
    }
}

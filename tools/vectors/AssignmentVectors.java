import java.io.PrintStream;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.TreeMap;
import java.util.TreeSet;
import org.apache.kafka.clients.consumer.ConsumerGroupMetadata;
import org.apache.kafka.clients.consumer.ConsumerPartitionAssignor;
import org.apache.kafka.clients.consumer.ConsumerPartitionAssignor.Assignment;
import org.apache.kafka.clients.consumer.ConsumerPartitionAssignor.GroupSubscription;
import org.apache.kafka.clients.consumer.ConsumerPartitionAssignor.Subscription;
import org.apache.kafka.clients.consumer.CooperativeStickyAssignor;
import org.apache.kafka.clients.consumer.RangeAssignor;
import org.apache.kafka.clients.consumer.RoundRobinAssignor;
import org.apache.kafka.clients.consumer.StickyAssignor;
import org.apache.kafka.clients.consumer.internals.ConsumerProtocol;
import org.apache.kafka.common.Cluster;
import org.apache.kafka.common.Node;
import org.apache.kafka.common.PartitionInfo;
import org.apache.kafka.common.TopicPartition;

/**
 * Assignments as Kafka's own assignors make them, one JSON object per line: groups that live through several generations in which
 * members come, go and subscribe to other topics; partitions are added; racks are there or not.
 *
 * <pre>AssignmentVectors SEED CASES</pre>
 */
public final class AssignmentVectors {
    private static final PrintStream OUT = new PrintStream(System.out, false, StandardCharsets.UTF_8);
    private static final String[] RACKS = {"a", "b", "c"};

    private static final class Member {
        String id;
        String instanceId;
        String rack;
        List<String> topics = new ArrayList<>();
        ConsumerPartitionAssignor assignor;
        List<TopicPartition> owned = new ArrayList<>();
        int generation = -1;
    }

    public static void main(String[] args) {
        final Random random = new Random(Long.parseLong(args[0]));
        final int cases = Integer.parseInt(args[1]);
        for (int number = 0; number < cases; number++) {
            for (String name : new String[] {"range", "roundrobin", "sticky", "cooperative-sticky"}) group(name, random, number);
        }
        OUT.flush();
    }

    private static ConsumerPartitionAssignor assignor(String name) {
        return switch (name) {
            case "range" -> new RangeAssignor();
            case "roundrobin" -> new RoundRobinAssignor();
            case "sticky" -> new StickyAssignor();
            default -> new CooperativeStickyAssignor();
        };
    }

    private static void group(String name, Random random, int number) {
        final boolean racks = random.nextInt(3) == 0;
        final boolean alike = random.nextBoolean();
        final boolean large = number % 20 == 19;
        final List<Node> nodes = new ArrayList<>();
        for (int id = 0; id < 4; id++) nodes.add(new Node(id, "h", 1, racks && id < 3 ? RACKS[id] : null));
        final Map<String, List<int[]>> topics = new TreeMap<>();
        final int topicCount = 1 + random.nextInt(4);
        for (int t = 0; t < topicCount; t++) addPartitions(topics, "t" + t, 1 + random.nextInt(large ? 40 : 8), random);
        final List<Member> members = new ArrayList<>();
        final int size = 1 + random.nextInt(large ? 20 : 6);
        for (int m = 0; m < size; m++) members.add(member(name, random, racks, alike, topics));
        final StringBuilder line = new StringBuilder("{\"assignor\":\"" + name + "\",\"generations\":[");
        final int generations = 1 + random.nextInt(4);
        for (int generation = 1; generation <= generations; generation++) {
            if (generation > 1) line.append(',');
            line.append(generation(name, random, nodes, topics, members, generation));
            change(name, random, racks, alike, topics, members);
        }
        OUT.println(line.append("]}"));
    }

    private static void addPartitions(Map<String, List<int[]>> topics, String topic, int count, Random random) {
        final List<int[]> partitions = topics.computeIfAbsent(topic, t -> new ArrayList<>());
        for (int p = 0; p < count; p++) {
            final int first = random.nextInt(4);
            partitions.add(random.nextBoolean() ? new int[] {first} : new int[] {first, (first + 1 + random.nextInt(3)) % 4});
        }
    }

    private static Member member(String name, Random random, boolean racks, boolean alike, Map<String, List<int[]>> topics) {
        final Member member = new Member();
        member.id = (random.nextBoolean() ? "consumer-" : "m") + Long.toString(random.nextLong() & Long.MAX_VALUE, 36);
        member.instanceId = random.nextInt(4) == 0 ? "i" + random.nextInt(1_000_000) : null;
        member.rack = racks && random.nextInt(5) > 0 ? RACKS[random.nextInt(3)] : null;
        member.assignor = assignor(name);
        subscribe(member, random, alike, topics);
        return member;
    }

    private static void subscribe(Member member, Random random, boolean alike, Map<String, List<int[]>> topics) {
        member.topics.clear();
        for (String topic : topics.keySet()) if (alike || random.nextBoolean()) member.topics.add(topic);
        if (member.topics.isEmpty()) member.topics.add(topics.keySet().iterator().next());
        // A topic that does not exist.
        if (!alike && random.nextInt(8) == 0) member.topics.add("unknown");
        Collections.sort(member.topics);
    }

    private static void change(String name, Random random, boolean racks, boolean alike, Map<String, List<int[]>> topics,
                               List<Member> members) {
        if (random.nextInt(2) == 0 && members.size() > 1) members.remove(random.nextInt(members.size()));
        for (int more = random.nextInt(3); more > 0; more--) {
            members.add(random.nextInt(members.size() + 1), member(name, random, racks, alike, topics));
        }
        if (random.nextInt(4) == 0) addPartitions(topics, "t0", 1 + random.nextInt(3), random);
        if (!alike && random.nextInt(3) == 0) subscribe(members.get(random.nextInt(members.size())), random, false, topics);
        // A member that missed the last generation, as after a long pause.
        if (random.nextInt(5) == 0) {
            final Member late = members.get(random.nextInt(members.size()));
            late.generation = Math.max(-1, late.generation - 1);
            if (random.nextBoolean()) {
                final Member other = members.get(random.nextInt(members.size()));
                for (TopicPartition each : other.owned) if (!late.owned.contains(each)) late.owned.add(each);
            }
        }
    }

    private static String generation(String name, Random random, List<Node> nodes, Map<String, List<int[]>> topics,
                                     List<Member> members, int generation) {
        final boolean cooperative = name.equals("cooperative-sticky");
        final List<PartitionInfo> infos = new ArrayList<>();
        topics.forEach((topic, partitions) -> {
            for (int p = 0; p < partitions.size(); p++) {
                final Node[] replicas = Arrays.stream(partitions.get(p)).mapToObj(nodes::get).toArray(Node[]::new);
                infos.add(new PartitionInfo(topic, p, replicas[0], replicas, replicas));
            }
        });
        final Cluster cluster = new Cluster("c", nodes, infos, Collections.emptySet(), Collections.emptySet());
        final Map<String, Subscription> subscriptions = new HashMap<>();
        final StringBuilder json = new StringBuilder("{\"topics\":{");
        String comma = "";
        for (Map.Entry<String, List<int[]>> topic : topics.entrySet()) {
            json.append(comma).append('"').append(topic.getKey()).append("\":[");
            for (int p = 0; p < topic.getValue().size(); p++) {
                json.append(p > 0 ? "," : "").append('"');
                for (int id : topic.getValue().get(p)) if (nodes.get(id).rack() != null) json.append(nodes.get(id).rack());
                json.append('"');
            }
            json.append(']');
            comma = ",";
        }
        json.append("},\"members\":[");
        comma = "";
        for (Member member : members) {
            final ByteBuffer userData = member.assignor.subscriptionUserData(new TreeSet<>(member.topics));
            final Subscription given = new Subscription(member.topics, userData,
                cooperative ? member.owned : Collections.emptyList(), member.generation, Optional.ofNullable(member.rack));
            // Through its bytes, as the leader gets it; older members speak older versions.
            final short version = (short) (random.nextInt(4) == 0 ? random.nextInt(4) : 3);
            final ByteBuffer bytes = ConsumerProtocol.serializeSubscription(given, version);
            final Subscription read = ConsumerProtocol.deserializeSubscription(bytes.duplicate());
            read.setGroupInstanceId(Optional.ofNullable(member.instanceId));
            subscriptions.put(member.id, read);
            final byte[] raw = new byte[bytes.remaining()];
            bytes.duplicate().get(raw);
            json.append(comma).append("[\"").append(member.id).append("\",")
                .append(member.instanceId == null ? "null" : '"' + member.instanceId + '"').append(",\"")
                .append(Base64.getEncoder().encodeToString(raw)).append("\"]");
            comma = ",";
        }
        json.append("],\"assigned\":[");
        final ConsumerPartitionAssignor leader = assignor(name);
        final Map<String, Assignment> assigned = leader.assign(cluster, new GroupSubscription(subscriptions)).groupAssignment();
        comma = "";
        for (Member member : members) {
            final Assignment assignment = assigned.get(member.id);
            final List<TopicPartition> partitions = new ArrayList<>(assignment.partitions());
            partitions.sort((a, b) -> a.topic().equals(b.topic()) ? a.partition() - b.partition() : a.topic().compareTo(b.topic()));
            json.append(comma).append('"');
            for (int i = 0; i < partitions.size(); i++) json.append(i > 0 ? " " : "").append(partitions.get(i));
            json.append('"');
            comma = ",";
            member.owned = new ArrayList<>(assignment.partitions());
            member.generation = generation;
            member.assignor.onAssignment(assignment, new ConsumerGroupMetadata("g", generation, member.id,
                Optional.ofNullable(member.instanceId)));
        }
        return json.append("]}").toString();
    }
}

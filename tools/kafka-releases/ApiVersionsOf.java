import java.lang.reflect.Method;
import java.util.Arrays;
import java.util.Collection;

/**
 * Prints `key Name lowest-highest` of each API that a broker answers in the release whose kafka-clients jar is on the class path.
 * With -Dzookeeper=1 those of a broker that still works with ZooKeeper.
 */
public class ApiVersionsOf {
    public static void main(String[] args) throws Exception {
        Class<?> keys = Class.forName("org.apache.kafka.common.protocol.ApiKeys");
        for (Object key : answered(keys)) {
            int oldest = ((Number) keys.getMethod("oldestVersion").invoke(key)).intValue();
            int latest = latest(keys, key);
            if (latest < oldest) continue;
            System.out.println(keys.getField("id").get(key) + " " + keys.getField("name").get(key) + " " + oldest + "-" + latest);
        }
    }

    /** Since 2.8 each API says to whom it is open. */
    private static Collection<?> answered(Class<?> keys) throws Exception {
        try {
            Class<?> listener = Class.forName("org.apache.kafka.common.message.ApiMessageType$ListenerType");
            String name = System.getProperty("zookeeper") == null ? "BROKER" : "ZK_BROKER";
            Object type = listener.getMethod("valueOf", String.class).invoke(null, name);
            return (Collection<?>) keys.getMethod("apisForListener", listener).invoke(null, type);
        } catch (ClassNotFoundException | NoSuchMethodException e) {
            return Arrays.asList(keys.getEnumConstants());
        }
    }

    /** Since 3.5 the last version may be one that is not yet promised, which a broker does not offer. */
    private static int latest(Class<?> keys, Object key) throws Exception {
        try {
            Method stable = keys.getMethod("latestVersion", boolean.class);
            return ((Number) stable.invoke(key, false)).intValue();
        } catch (NoSuchMethodException e) {
            return ((Number) keys.getMethod("latestVersion").invoke(key)).intValue();
        }
    }
}

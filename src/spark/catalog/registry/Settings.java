import java.io.DataInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.PrintStream;
import java.lang.invoke.SerializedLambda;
import java.lang.reflect.Constructor;
import java.lang.reflect.Field;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.jar.JarEntry;
import java.util.jar.JarFile;
import java.util.stream.Collectors;

/**
 * Prints the settings of the Spark version on the class path, one line each, fields separated by
 * tabs. The arguments are Spark's own jars. Everything is read by reflection, so one source serves
 * all versions. The first field says what a line is:
 *
 * <ul>
 *   <li>{@code entry}: key, form, default, version, internal, alternatives. Taken from Spark's
 *       registry of config entries.
 *   <li>{@code constant}: a string in the code that looks like a key or like the prefix of one.
 *   <li>{@code renamed}: an old key, the key that took over, and since which version.
 *   <li>{@code deprecated}, {@code removed}: key, version and Spark's advice.
 * </ul>
 */
public final class Settings {
    private static final String CONFIG = "org.apache.spark.internal.config.";
    /** Classes that also name keys without effect; the others are printed as entries or renamed. */
    private static final List<String> NAMES_OLD_KEYS =
            List.of("org.apache.spark.SparkConf$", "org.apache.spark.sql.internal.SQLConf$");
    private static final PrintStream OUT = System.out;

    private Settings() {}

    public static void main(String[] jars) throws Exception {
        System.setOut(System.err); // Spark's objects may print while they initialize.
        var constants = new TreeSet<String>();
        for (String jar : jars) {
            scan(Path.of(jar), constants);
        }
        entries();
        constants.addAll(transport());
        constants.addAll(ssl());
        constants.addAll(kubernetesCredentials());
        constants.forEach(constant -> line("constant", constant));
        renamed();
        advice("deprecated", "org.apache.spark.SparkConf$", "deprecatedConfigs", "deprecationMessage");
        advice("deprecated", "org.apache.spark.sql.internal.SQLConf$", "deprecatedSQLConfigs", "comment");
        advice("removed", "org.apache.spark.sql.internal.SQLConf$", "removedSQLConfigs", "comment");
        OUT.flush();
        System.exit(0); // Some objects start threads.
    }

    private static void line(String... fields) {
        for (int i = 0; i < fields.length; i++) {
            fields[i] = fields[i] == null ? "" : fields[i].replaceAll("\\s+", " ").trim();
        }
        OUT.println(String.join("\t", fields));
    }

    // Class files

    /** Collects the keys in a jar's string constants, and initializes the objects that register entries. */
    private static void scan(Path jar, TreeSet<String> constants) throws IOException {
        try (var file = new JarFile(jar.toFile())) {
            for (JarEntry entry : (Iterable<JarEntry>) file.stream()::iterator) {
                if (!entry.getName().endsWith(".class")) {
                    continue;
                }
                Pool pool;
                try (InputStream in = file.getInputStream(entry)) {
                    pool = Pool.read(in);
                }
                String name = entry.getName().replace('/', '.').replaceAll("\\.class$", "");
                if (!NAMES_OLD_KEYS.contains(name)) {
                    pool.strings.stream().map(Settings::keyOrPrefix).filter(key -> key != null).forEach(constants::add);
                }
                if (pool.buildsEntries && name.endsWith("$") && !name.contains("$anon")) {
                    initialize(name);
                }
            }
        }
    }

    /** The string itself if it is a key, or its fixed start if the rest is filled in at run time. */
    private static String keyOrPrefix(String text) {
        int hole = text.indexOf('\u0001'); // Where string concatenation inserts a value.
        String fixed = hole < 0 ? text : text.substring(0, hole);
        if (hole >= 0 && !fixed.endsWith(".")) {
            return null;
        }
        return fixed.matches("spark\\.[A-Za-z0-9._-]+") && !fixed.contains("..") ? fixed : null;
    }

    private static void initialize(String name) {
        try {
            Class.forName(name);
        } catch (Throwable e) {
            System.err.println("cannot initialize " + name + ": " + e);
        }
    }

    /** The part of a class file's constant pool that matters here. */
    private static final class Pool {
        final List<String> strings = new ArrayList<>();
        boolean buildsEntries;

        static Pool read(InputStream in) throws IOException {
            var data = new DataInputStream(new java.io.BufferedInputStream(in));
            data.readInt(); // Magic number.
            data.readInt(); // Version.
            int size = data.readUnsignedShort();
            var texts = new String[size];
            var references = new ArrayList<Integer>();
            for (int i = 1; i < size; i++) {
                int tag = data.readUnsignedByte();
                switch (tag) {
                    case 1 -> texts[i] = data.readUTF();
                    case 8 -> references.add(data.readUnsignedShort());
                    case 7, 16, 19, 20 -> data.readUnsignedShort();
                    case 15 -> data.skipBytes(3);
                    case 3, 4, 9, 10, 11, 12, 17, 18 -> data.readInt();
                    case 5, 6 -> {
                        data.readLong();
                        i++; // Takes two places.
                    }
                    default -> throw new IOException("unknown constant " + tag);
                }
            }
            var pool = new Pool();
            references.forEach(reference -> pool.strings.add(texts[reference]));
            for (String text : texts) {
                pool.buildsEntries |= "org/apache/spark/internal/config/ConfigBuilder".equals(text);
            }
            return pool;
        }
    }

    // Entries

    private static void entries() throws Exception {
        Object companion = object(CONFIG + "ConfigEntry$");
        Class<?> optional = type(CONFIG + "OptionalConfigEntry");
        var known = (Map<?, ?>) call(companion, "knownConfigs");
        var sorted = new TreeMap<String, Object>();
        known.forEach((key, entry) -> sorted.put((String) key, entry));
        for (Object entry : listed(companion)) {
            sorted.putIfAbsent((String) call(entry, "key"), entry);
        }
        for (Map.Entry<String, Object> each : sorted.entrySet()) {
            Object entry = each.getValue();
            line(
                    "entry",
                    each.getKey(),
                    new Form(call(entry, optional.isInstance(entry) ? "rawValueConverter" : "valueConverter")).toString(),
                    defaultOf(entry),
                    (String) call(entry, "version"),
                    (boolean) call(entry, "isPublic") ? "" : "internal",
                    all(call(entry, "alternatives")).stream().map(Object::toString).collect(Collectors.joining(" ")));
        }
    }

    /** Entries that are declared in Protocol Buffers' text form instead of Scala (from 4.2 on). */
    private static Collection<?> listed(Object companion) throws Exception {
        try {
            return (Collection<?>) call(companion, "listAllProtoDefinedConfigs");
        } catch (NoSuchMethodException e) {
            return List.of();
        }
    }

    private static String defaultOf(Object entry) {
        try {
            String text = (String) call(entry, "defaultValueString");
            return text == null || text.equals("<undefined>") ? "" : text;
        } catch (Exception e) {
            return "";
        }
    }

    /** What a value must look like, recovered from the function that converts it. */
    private static final class Form {
        private final Object converter;
        private String base;
        private String choices;
        private boolean list;

        Form(Object converter) throws Exception {
            this.converter = converter;
            read(converter);
            if (base == null) {
                base = baseByTrial();
            }
        }

        private void read(Object function) throws Exception {
            SerializedLambda lambda = lambda(function);
            if (lambda == null) {
                return;
            }
            String method = lambda.getImplMethodName().replaceAll("^\\$anonfun\\$|\\$adapted$|\\$\\d+", "");
            switch (method) {
                case "booleanConf" -> base = "boolean";
                case "intConf" -> base = "int";
                case "longConf" -> base = "long";
                case "doubleConf", "decimalConf" -> base = "double";
                case "stringConf" -> base = "text";
                case "regexConf" -> base = "regex";
                case "timeConf" -> base = "time:" + timeUnit(captured(lambda, java.util.concurrent.TimeUnit.class));
                case "bytesConf" -> base = "bytes:" + byteUnit(captured(lambda, type("org.apache.spark.network.util.ByteUnit")));
                case "enumConf" -> enumeration(lambda);
                case "transform", "checkValue", "checkValues", "toSequence" -> step(method, lambda);
                default -> { }
            }
        }

        /** One step of a builder: what came before it decides on the base. */
        private void step(String method, SerializedLambda lambda) throws Exception {
            list |= method.equals("toSequence");
            for (int i = 0; i < lambda.getCapturedArgCount(); i++) {
                Object argument = lambda.getCapturedArg(i);
                if (type(CONFIG + "TypedConfigBuilder").isInstance(argument)) {
                    read(call(argument, "converter"));
                } else if (type("scala.Function1").isInstance(argument)) {
                    checked(argument);
                }
            }
        }

        private void checked(Object function) throws Exception {
            SerializedLambda lambda = lambda(function);
            if (lambda == null || !lambda.getImplMethodName().startsWith("$anonfun$checkValues$")) {
                return;
            }
            Object set = captured(lambda, type("scala.collection.Set"));
            if (set != null) {
                choices = join(all(set));
            }
        }

        private void enumeration(SerializedLambda lambda) throws Exception {
            base = "text";
            Object scala = captured(lambda, type("scala.Enumeration"));
            Class<?> java = (Class<?>) captured(lambda, Class.class);
            choices = join(scala != null ? all(call(scala, "values")) : List.of(java.getEnumConstants()));
        }

        private static String join(List<Object> values) {
            return values.stream().map(Object::toString).sorted().collect(Collectors.joining("|"));
        }

        /** For converters that are no plain step of a builder. */
        private String baseByTrial() {
            Object converted = convert("true");
            if (converted instanceof Boolean) {
                return "boolean";
            }
            Object number = convert("1");
            return number instanceof Integer ? "int" : number instanceof Long ? "long" : number instanceof Double ? "double" : "text";
        }

        /** The result, or null where the value is refused. */
        private Object convert(String value) {
            try {
                Method apply = type("scala.Function1").getMethod("apply", Object.class);
                return apply.invoke(converter, value);
            } catch (Exception e) {
                return null;
            }
        }

        private boolean accepts(String value) {
            return convert(value) != null;
        }

        /** The least number that is accepted, where it is 0 or 1. */
        private String minimum() {
            if (list || choices != null || !base.matches("(int|long|double|time|bytes).*") || accepts("-1") || !accepts("1")) {
                return "";
            }
            if (accepts("0")) {
                return base.equals("double") && accepts("-0.5") ? "" : ">=0";
            }
            return base.equals("double") ? "" : ">=1";
        }

        /** Whether letters of either case are accepted: `transform` often precedes a check. */
        private boolean ignoresCase() {
            for (String choice : choices.split("\\|")) {
                if (!accepts(choice.toLowerCase(Locale.ROOT)) || !accepts(choice.toUpperCase(Locale.ROOT))) {
                    return false;
                }
            }
            return true;
        }

        @Override
        public String toString() {
            String form = choices != null ? "choice" + (ignoresCase() ? "/i:" : ":") + choices : base + minimum();
            return (list ? "list:" : "") + form;
        }
    }

    private static String timeUnit(Object unit) {
        return switch ((java.util.concurrent.TimeUnit) unit) {
            case NANOSECONDS -> "ns";
            case MICROSECONDS -> "us";
            case MILLISECONDS -> "ms";
            case SECONDS -> "s";
            case MINUTES -> "min";
            case HOURS -> "h";
            case DAYS -> "d";
        };
    }

    private static String byteUnit(Object unit) {
        return unit.toString().substring(0, 1).toLowerCase(Locale.ROOT);
    }

    // Keys that are put together at run time

    /** The keys of Spark's transport, which are made of a module's name and a suffix. */
    private static List<String> transport() throws Exception {
        Class<?> transport = type("org.apache.spark.network.util.TransportConf");
        Object empty = field(type("org.apache.spark.network.util.MapConfigProvider"), "EMPTY").get(null);
        Constructor<?> constructor = transport.getConstructors()[0];
        var keys = new ArrayList<String>();
        for (String module : List.of("shuffle", "rpc", "files")) {
            Object conf = constructor.newInstance(module, empty);
            for (Field field : transport.getDeclaredFields()) {
                if (field.getName().startsWith("SPARK_") && !Modifier.isStatic(field.getModifiers())) {
                    field.setAccessible(true);
                    keys.add((String) field.get(conf));
                }
            }
            for (String role : List.of("driver", "executor")) {
                keys.add("spark." + role + "." + module + ".io.serverThreads");
                keys.add("spark." + role + "." + module + ".io.clientThreads");
            }
        }
        for (String role : List.of("driver", "executor")) {
            keys.add("spark." + role + ".rpc.netty.dispatcher.numThreads");
        }
        return keys;
    }

    /** The keys of TLS, which are made of the name of what is encrypted and a suffix. */
    private static List<String> ssl() throws Exception {
        var keys = new ArrayList<String>();
        try (InputStream in = Settings.class.getClassLoader().getResourceAsStream("org/apache/spark/SSLOptions$.class")) {
            for (String text : Pool.read(in).strings) {
                String suffix = text.replaceAll("^\u0001", "");
                if (suffix.matches("\\.[a-zA-Z]+")) {
                    for (String of : List.of("", ".ui", ".standalone", ".historyServer", ".rpc")) {
                        keys.add("spark.ssl" + of + suffix);
                    }
                }
            }
        }
        return keys;
    }

    /** The keys of credentials for the API server, which are made of their user and a suffix. */
    private static List<String> kubernetesCredentials() throws Exception {
        Object config = object("org.apache.spark.deploy.k8s.Config$");
        var users = new ArrayList<String>();
        var suffixes = new ArrayList<String>();
        for (Field field : config.getClass().getDeclaredFields()) {
            field.setAccessible(true);
            if (field.getName().matches("KUBERNETES_AUTH_.*PREFIX")) {
                users.add((String) field.get(config));
            } else if (field.getName().matches("(OAUTH|CLIENT|CA)_.*_CONF_SUFFIX")) {
                suffixes.add((String) field.get(config));
            }
        }
        return users.stream().flatMap(user -> suffixes.stream().map(suffix -> user + "." + suffix)).toList();
    }

    // Old keys

    private static void renamed() throws Exception {
        Object map = member(object("org.apache.spark.SparkConf$"), "configsWithAlternatives");
        for (Object pair : all(map)) {
            for (Object old : all(call(pair, "_2"))) {
                line("renamed", (String) call(old, "key"), (String) call(pair, "_1"), (String) call(old, "version"));
            }
        }
    }

    private static void advice(String kind, String owner, String map, String text) throws Exception {
        for (Object pair : all(member(object(owner), map))) {
            Object config = call(pair, "_2");
            line(kind, (String) call(config, "key"), (String) call(config, "version"), (String) call(config, text));
        }
    }

    // Reflection

    private static Class<?> type(String name) {
        try {
            return Class.forName(name);
        } catch (ClassNotFoundException e) {
            throw new IllegalStateException(e);
        }
    }

    /** The instance of a Scala object. */
    private static Object object(String name) throws Exception {
        return field(type(name), "MODULE$").get(null);
    }

    private static Field field(Class<?> type, String name) throws NoSuchFieldException {
        Field field = type.getDeclaredField(name);
        field.setAccessible(true);
        return field;
    }

    /** The value of a member whose name the compiler may have prefixed with its owner. */
    private static Object member(Object of, String name) throws Exception {
        for (Field field : of.getClass().getDeclaredFields()) {
            if (field.getName().equals(name) || field.getName().endsWith("$$" + name)) {
                field.setAccessible(true);
                return field.get(of);
            }
        }
        throw new NoSuchFieldException(name);
    }

    private static Object call(Object of, String method) throws Exception {
        for (Class<?> type = of.getClass(); type != null; type = type.getSuperclass()) {
            try {
                Method found = type.getDeclaredMethod(method);
                found.setAccessible(true);
                return found.invoke(of);
            } catch (NoSuchMethodException e) {
                // Perhaps a superclass has it.
            } catch (InvocationTargetException e) {
                throw e.getCause() instanceof Exception cause ? cause : e;
            }
        }
        throw new NoSuchMethodException(of.getClass() + "." + method);
    }

    /** The elements of a Scala collection. */
    private static List<Object> all(Object collection) throws Exception {
        Object iterator = type("scala.collection.Iterable").getMethod("iterator").invoke(collection);
        Class<?> type = type("scala.collection.Iterator");
        var elements = new ArrayList<>();
        while ((boolean) type.getMethod("hasNext").invoke(iterator)) {
            elements.add(type.getMethod("next").invoke(iterator));
        }
        return elements;
    }

    /** What a function was compiled from, where the compiler left that in it. */
    private static SerializedLambda lambda(Object function) {
        try {
            return call(function, "writeReplace") instanceof SerializedLambda lambda ? lambda : null;
        } catch (Exception e) {
            return null;
        }
    }

    private static Object captured(SerializedLambda lambda, Class<?> type) {
        for (int i = 0; i < lambda.getCapturedArgCount(); i++) {
            if (type.isInstance(lambda.getCapturedArg(i))) {
                return lambda.getCapturedArg(i);
            }
        }
        return null;
    }
}

package portrait.core;

import java.util.List;
import java.util.Map;

/** What an exported model says about itself: deploy.yaml, kept as JSON. */
public final class Deploy {
    public final Map<String, Object> preprocess;
    public final String outputOp;
    /** The network has one channel more, for the mask of the frame before. */
    public final boolean takesPrior;

    private Deploy(Map<String, Object> preprocess, String outputOp, boolean takesPrior) {
        this.preprocess = preprocess;
        this.outputOp = outputOp;
        this.takesPrior = takesPrior;
    }

    /** Reads deploy.json; throws IllegalArgumentException for a model that this program cannot run rightly. */
    public static Deploy parse(String json) {
        Map<String, Object> content = map(Json.parse(json));
        Map<String, Object> ours = map(content.get("paddle_portrait"));
        Map<String, Object> deploy = map(content.get("Deploy"));
        double version = number(ours, "version");
        if (version != 1 && version != 2) {
            throw new IllegalArgumentException("deploy.json is of version " + version + "; this reads 1 and 2");
        }
        Map<String, Object> form = map(ours.get("form"));
        boolean plain = form.isEmpty()
                || "float32".equals(form.get("input_dtype"))
                        && form.get("input_channels") == null
                        && form.get("bit_packed") == null
                        && form.get("upsampling") == null
                        && !Boolean.TRUE.equals(form.get("flat"));
        if (!plain) {
            throw new IllegalArgumentException("the graph was exported in a form that this program does not read: " + form);
        }
        boolean takesPrior = Boolean.TRUE.equals(ours.get("takes_prior"));
        return new Deploy(map(ours.get("preprocess")), String.valueOf(deploy.get("output_op")), takesPrior);
    }

    @SuppressWarnings("unchecked")
    static Map<String, Object> map(Object value) {
        return value == null ? java.util.Collections.<String, Object>emptyMap() : (Map<String, Object>) value;
    }

    @SuppressWarnings("unchecked")
    static List<Object> list(Map<String, Object> from, String key) {
        return (List<Object>) from.get(key);
    }

    static double number(Map<String, Object> from, String key) {
        Object value = from.get(key);
        if (!(value instanceof Double)) {
            throw new IllegalArgumentException("deploy.json: " + key + " must be a number, not " + value);
        }
        return (Double) value;
    }
}

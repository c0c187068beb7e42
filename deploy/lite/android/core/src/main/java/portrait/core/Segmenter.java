package portrait.core;

import java.util.Arrays;

/** From a picture to the probability that each pixel shows a person. For one thread at a time. */
public final class Segmenter {
    private final Preprocess preprocess;
    private final String outputOp;
    private final boolean takesPrior;
    private final Runner runner;
    private float[] previous;
    private int previousHeight;

    public Segmenter(Deploy deploy, Runner runner) {
        this.preprocess = new Preprocess(deploy.preprocess);
        this.outputOp = deploy.outputOp;
        this.takesPrior = deploy.takesPrior;
        this.runner = runner;
    }

    /**
     * Returns a probability for each pixel of the picture, row after row.
     *
     * <p>A network that takes the previous mask gets that of the last call, and zeros where there is none of this size.
     */
    public float[] segment(Picture picture) {
        Preprocess.Result input = preprocess.apply(picture);
        Runner.Output output = takesPrior ? runWithPrior(input, picture) : runner.run(input.values, input.shape);
        int rank = output.shape.length;
        int height = (int) output.shape[rank - 2];
        int width = (int) output.shape[rank - 1];
        float[] person = person(output, height * width);
        float[] fitted = Bilinear.scale(person, height, width, input.shape[2], input.shape[3]);
        float[] restored = input.geometry.restore(fitted, input.shape[2], input.shape[3]);
        previous = restored;
        previousHeight = picture.height;
        return restored;
    }

    private Runner.Output runWithPrior(Preprocess.Result input, Picture picture) {
        int height = input.shape[2];
        int width = input.shape[3];
        float[] values = Arrays.copyOf(input.values, input.values.length + height * width);
        if (previous != null
                && previousHeight == picture.height
                && previous.length == picture.height * picture.width) {
            float[] prior = input.geometry.apply(previous, picture.height, picture.width, height, width);
            System.arraycopy(prior, 0, values, input.values.length, prior.length);
        }
        return runner.run(values, new int[] {1, input.shape[1] + 1, height, width});
    }

    /** Takes the person's share out of a network's output: class 0 is the background, all else the person. */
    private float[] person(Runner.Output output, int pixels) {
        int channels = output.values.length / pixels;
        float[] person = new float[pixels];
        for (int i = 0; i < pixels; i++) {
            switch (outputOp) {
                case "argmax":
                    person[i] = output.values[i] > 0 ? 1f : 0f;
                    break;
                case "sigmoid":
                case "softmax":
                    int last = (channels - 1) * pixels;
                    person[i] = channels > 2 ? 1f - output.values[i] : output.values[last + i];
                    break;
                case "none":
                    person[i] = sigmoid(logit(output.values, i, pixels, channels));
                    break;
                default:
                    throw new IllegalArgumentException("deploy.json: output_op " + outputOp + " is not known");
            }
        }
        return person;
    }

    private static double logit(float[] logits, int pixel, int pixels, int channels) {
        if (channels == 1) {
            return logits[pixel];
        }
        double top = Double.NEGATIVE_INFINITY;
        for (int channel = 1; channel < channels; channel++) {
            top = Math.max(top, logits[channel * pixels + pixel]);
        }
        double sum = 0;
        for (int channel = 1; channel < channels; channel++) {
            sum += Math.exp(logits[channel * pixels + pixel] - top);
        }
        return top + Math.log(sum) - logits[pixel];
    }

    private static float sigmoid(double value) {
        return (float) (1 / (1 + Math.exp(-value)));
    }
}

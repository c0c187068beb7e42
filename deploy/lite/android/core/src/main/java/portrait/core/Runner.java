package portrait.core;

/** What computes the network: Paddle Lite in the application, anything in a test. */
public interface Runner {
    /** Numbers and their shape. Class numbers come as floats, too. */
    final class Output {
        public final float[] values;
        public final long[] shape;

        public Output(float[] values, long[] shape) {
            this.values = values;
            this.shape = shape;
        }
    }

    /** Maps an input, N×C×height×width, to the network's first output. */
    Output run(float[] input, int[] shape);
}

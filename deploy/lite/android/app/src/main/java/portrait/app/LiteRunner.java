package portrait.app;

import com.baidu.paddle.lite.MobileConfig;
import com.baidu.paddle.lite.PaddlePredictor;
import com.baidu.paddle.lite.PowerMode;
import com.baidu.paddle.lite.Tensor;
import portrait.core.Runner;

/** Runs a .nb file with Paddle Lite. */
public final class LiteRunner implements Runner {
    private final PaddlePredictor predictor;
    private final boolean classes;

    /**
     * Loads a model.
     *
     * @param model path of the .nb file
     * @param threads threads of one run
     * @param outputOp what the graph ends in: "argmax" gives whole numbers
     */
    public LiteRunner(String model, int threads, String outputOp) {
        MobileConfig config = new MobileConfig();
        config.setModelFromFile(model);
        config.setThreads(threads);
        config.setPowerMode(PowerMode.LITE_POWER_HIGH);
        predictor = PaddlePredictor.createPaddlePredictor(config);
        if (predictor == null) {
            throw new IllegalStateException("Paddle Lite cannot load " + model);
        }
        classes = outputOp.equals("argmax");
    }

    @Override
    public Output run(float[] input, int[] shape) {
        long[] dimensions = new long[shape.length];
        for (int i = 0; i < shape.length; i++) {
            dimensions[i] = shape[i];
        }
        Tensor given = predictor.getInput(0);
        given.resize(dimensions);
        given.setData(input);
        if (!predictor.run()) {
            throw new IllegalStateException("Paddle Lite could not run the model");
        }
        Tensor result = predictor.getOutput(0);
        return new Output(classes ? asFloats(result.getIntData()) : result.getFloatData(), result.shape());
    }

    private static float[] asFloats(int[] values) {
        float[] result = new float[values.length];
        for (int i = 0; i < values.length; i++) {
            result[i] = values[i];
        }
        return result;
    }
}

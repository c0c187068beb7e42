package com.baidu.paddle.lite;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.Paths;

/**
 * Stand-in for Paddle Lite's class of this name: its "model" is a file with an answer, its run notes the input beside.
 */
public class PaddlePredictor {
    private final Path model;
    private final Tensor input = new Tensor();
    private final Tensor output = new Tensor();

    private PaddlePredictor(Path model) {
        this.model = model;
    }

    public static PaddlePredictor createPaddlePredictor(MobileConfig config) {
        Path path = Paths.get(config.model);
        return Files.exists(path) ? new PaddlePredictor(path) : null;
    }

    public Tensor getInput(int index) {
        return input;
    }

    public Tensor getOutput(int index) {
        return output;
    }

    public boolean run() {
        try {
            ByteBuffer noted = ByteBuffer.allocate(4 * input.values.length).order(ByteOrder.LITTLE_ENDIAN);
            noted.asFloatBuffer().put(input.values);
            Files.write(Paths.get(model + ".input"), noted.array());
            ByteBuffer answer = ByteBuffer.wrap(Files.readAllBytes(model)).order(ByteOrder.LITTLE_ENDIAN);
            output.shape = new long[(int) answer.getLong()];
            for (int i = 0; i < output.shape.length; i++) {
                output.shape[i] = answer.getLong();
            }
            output.values = new float[answer.remaining() / 4];
            answer.asFloatBuffer().get(output.values);
            return true;
        } catch (IOException error) {
            throw new UncheckedIOException(error);
        }
    }
}

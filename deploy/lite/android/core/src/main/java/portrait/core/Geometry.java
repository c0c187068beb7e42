package portrait.core;

import java.util.ArrayList;
import java.util.List;

/** What was done to the frame of a picture, and its undoing. */
final class Geometry {
    /** One step: a scaling, or a border on the right and below. */
    private static final class Step {
        final boolean border;
        final int height;
        final int width;

        Step(boolean border, int height, int width) {
            this.border = border;
            this.height = height;
            this.width = width;
        }
    }

    private final List<Step> steps = new ArrayList<>();

    /** Notes that a frame of this size was scaled. */
    void scaledFrom(int height, int width) {
        steps.add(new Step(false, height, width));
    }

    /** Notes that a frame of this size got a border. */
    void borderedFrom(int height, int width) {
        steps.add(new Step(true, height, width));
    }

    /** Brings a map of the picture's frame to the network's, height × width; borders are zero. */
    float[] apply(float[] map, int mapHeight, int mapWidth, int height, int width) {
        float[] result = map;
        int fromHeight = mapHeight;
        int fromWidth = mapWidth;
        for (int i = 0; i < steps.size(); i++) {
            boolean last = i == steps.size() - 1;
            int toHeight = last ? height : steps.get(i + 1).height;
            int toWidth = last ? width : steps.get(i + 1).width;
            if (steps.get(i).border) {
                float[] framed = new float[toHeight * toWidth];
                for (int row = 0; row < fromHeight; row++) {
                    System.arraycopy(result, row * fromWidth, framed, row * toWidth, fromWidth);
                }
                result = framed;
            } else {
                result = Bilinear.scale(result, fromHeight, fromWidth, toHeight, toWidth);
            }
            fromHeight = toHeight;
            fromWidth = toWidth;
        }
        return result;
    }

    /** Brings a map of the network's frame back to the picture's: borders are cut off, and one scaling undoes all. */
    float[] restore(float[] map, int mapHeight, int mapWidth) {
        float[] result = map;
        int height = mapHeight;
        int width = mapWidth;
        int wantedHeight = mapHeight;
        int wantedWidth = mapWidth;
        for (int i = steps.size() - 1; i >= 0; i--) {
            Step step = steps.get(i);
            if (step.border) {
                result = Bilinear.scale(result, height, width, wantedHeight, wantedWidth);
                result = cut(result, wantedWidth, step.height, step.width);
                height = step.height;
                width = step.width;
            }
            wantedHeight = step.height;
            wantedWidth = step.width;
        }
        return Bilinear.scale(result, height, width, wantedHeight, wantedWidth);
    }

    private static float[] cut(float[] map, int mapWidth, int height, int width) {
        float[] result = new float[height * width];
        for (int row = 0; row < height; row++) {
            System.arraycopy(map, row * mapWidth, result, row * width, width);
        }
        return result;
    }
}

package portrait.core;

import java.util.Arrays;

/** What is shown in place of the background. A tap takes the next one. */
public enum Filter {
    NONE,
    BLUR,
    REPLACE,
    GREY;

    /** Share of the shorter side that the blur reaches. */
    private static final double REACH = 0.03;

    /** Width of the soft edge around the threshold. */
    private static final float SOFT = 0.2f;

    /** Returns the filter that follows. */
    public Filter next() {
        return values()[(ordinal() + 1) % values().length];
    }

    /**
     * Returns the picture with another background.
     *
     * @param person a probability for each pixel
     * @param threshold where the edge is: 0.5 as trained, less keeps more
     * @param background what REPLACE shows; scaled to the picture's size
     */
    public Picture apply(Picture picture, float[] person, float threshold, Picture background) {
        if (this == NONE) {
            return picture;
        }
        Picture behind = behind(picture, background);
        byte[] result = new byte[picture.rgb.length];
        for (int i = 0; i < person.length; i++) {
            float share = edge(person[i], threshold);
            for (int channel = 0; channel < 3; channel++) {
                int front = picture.rgb[3 * i + channel] & 0xff;
                int back = behind.rgb[3 * i + channel] & 0xff;
                result[3 * i + channel] = (byte) Math.round(back + share * (front - back));
            }
        }
        return new Picture(picture.height, picture.width, result);
    }

    /** Returns how much of the person is shown: 0 below the threshold's soft edge, 1 above it, smooth between. */
    static float edge(float probability, float threshold) {
        float low = Math.max(0f, threshold - SOFT);
        float high = Math.min(1f, threshold + SOFT);
        float t = Math.max(0f, Math.min(1f, (probability - low) / (high - low)));
        return t * t * (3 - 2 * t);
    }

    private Picture behind(Picture picture, Picture background) {
        if (this == REPLACE && background != null) {
            return Bilinear.scale(background, picture.height, picture.width);
        }
        if (this == BLUR) {
            return blurred(picture, Math.max(1, (int) (REACH * Math.min(picture.height, picture.width))));
        }
        byte[] grey = new byte[picture.rgb.length];
        for (int i = 0; i < grey.length; i += 3) {
            int level = ((picture.rgb[i] & 0xff) * 77 + (picture.rgb[i + 1] & 0xff) * 150
                    + (picture.rgb[i + 2] & 0xff) * 29) >> 8;
            Arrays.fill(grey, i, i + 3, (byte) level);
        }
        return new Picture(picture.height, picture.width, grey);
    }

    /** Averages over boxes three times, which is near a Gaussian and costs the same at any reach. */
    private static Picture blurred(Picture picture, int reach) {
        byte[] from = picture.rgb.clone();
        byte[] to = new byte[from.length];
        for (int round = 0; round < 3; round++) {
            box(from, to, picture.height, picture.width, 3 * picture.width, 3, reach);
            box(to, from, picture.width, picture.height, 3, 3 * picture.width, reach);
        }
        return new Picture(picture.height, picture.width, from);
    }

    private static void box(byte[] from, byte[] to, int lines, int length, int lineStep, int step, int reach) {
        for (int line = 0; line < lines; line++) {
            for (int channel = 0; channel < 3; channel++) {
                int start = line * lineStep + channel;
                int sum = 0;
                for (int i = -reach; i <= reach; i++) {
                    sum += from[start + clamp(i, length) * step] & 0xff;
                }
                for (int i = 0; i < length; i++) {
                    to[start + i * step] = (byte) (sum / (2 * reach + 1));
                    sum += from[start + clamp(i + reach + 1, length) * step] & 0xff;
                    sum -= from[start + clamp(i - reach, length) * step] & 0xff;
                }
            }
        }
    }

    private static int clamp(int place, int length) {
        return Math.max(0, Math.min(place, length - 1));
    }
}

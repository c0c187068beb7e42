package portrait.core;

/** Bilinear scaling as OpenCV does it: half-pixel centres; 8 bits in 11-bit fixed point, floats in floats. */
public final class Bilinear {
    private static final int ONE = 2048;

    /** For each place of a side: the two places that it is made of, and the share of the second. */
    private static final class Side {
        final int[] lower;
        final int[] upper;
        final float[] share;

        /** Beyond the border a row is mixed with itself, a column is taken as it is: that rounds differently. */
        Side(int before, int after, boolean rows) {
            lower = new int[after];
            upper = new int[after];
            share = new float[after];
            double scale = 1.0 / ((double) after / before);
            for (int place = 0; place < after; place++) {
                float at = (float) ((place + 0.5) * scale - 0.5);
                int floor = (int) Math.floor(at);
                boolean inside = floor >= 0 && floor < before - 1;
                lower[place] = Math.max(0, Math.min(floor, before - 1));
                upper[place] = Math.max(0, Math.min(floor + 1, before - 1));
                share[place] = inside || rows ? at - floor : 0f;
            }
        }

        int second(int place) {
            return (int) Math.rint(share[place] * ONE);
        }

        int first(int place) {
            return (int) Math.rint((1f - share[place]) * ONE);
        }
    }

    private Bilinear() {}

    /** Returns the picture at another size: bit for bit what OpenCV gives. */
    public static Picture scale(Picture picture, int height, int width) {
        if (picture.height == height && picture.width == width) {
            return picture;
        }
        Side rows = new Side(picture.height, height, true);
        Side columns = new Side(picture.width, width, false);
        byte[] result = new byte[height * width * 3];
        int[] above = new int[width * 3];
        int[] below = new int[width * 3];
        for (int row = 0; row < height; row++) {
            across(picture, rows.lower[row], columns, above);
            across(picture, rows.upper[row], columns, below);
            int first = rows.first(row);
            int second = rows.second(row);
            for (int i = 0; i < above.length; i++) {
                int sum = (first * (above[i] >> 4) >> 16) + (second * (below[i] >> 4) >> 16);
                result[row * width * 3 + i] = (byte) Math.max(0, Math.min(255, (sum + 2) >> 2));
            }
        }
        return new Picture(height, width, result);
    }

    private static void across(Picture picture, int row, Side columns, int[] target) {
        for (int column = 0; column < columns.lower.length; column++) {
            int first = columns.first(column);
            int second = columns.second(column);
            for (int channel = 0; channel < 3; channel++) {
                target[column * 3 + channel] = picture.at(row, columns.lower[column], channel) * first
                        + picture.at(row, columns.upper[column], channel) * second;
            }
        }
    }

    /** Returns a map of floats, height × width, at another size. */
    public static float[] scale(float[] map, int height, int width, int newHeight, int newWidth) {
        if (height == newHeight && width == newWidth) {
            return map;
        }
        Side rows = new Side(height, newHeight, true);
        Side columns = new Side(width, newWidth, false);
        float[] result = new float[newHeight * newWidth];
        for (int row = 0; row < newHeight; row++) {
            for (int column = 0; column < newWidth; column++) {
                float left = 1f - columns.share[column];
                float right = columns.share[column];
                int above = rows.lower[row] * width;
                int below = rows.upper[row] * width;
                float top = map[above + columns.lower[column]] * left + map[above + columns.upper[column]] * right;
                float bottom = map[below + columns.lower[column]] * left + map[below + columns.upper[column]] * right;
                result[row * newWidth + column] = top * (1f - rows.share[row]) + bottom * rows.share[row];
            }
        }
        return result;
    }
}

package portrait.core;

/** A picture of 8 bits: red, green, blue of each pixel, row after row. */
public final class Picture {
    public final int height;
    public final int width;
    public final byte[] rgb;

    public Picture(int height, int width, byte[] rgb) {
        if (rgb.length != height * width * 3) {
            throw new IllegalArgumentException(
                    "a picture of " + height + "x" + width + " needs " + height * width * 3 + " bytes, not " + rgb.length);
        }
        this.height = height;
        this.width = width;
        this.rgb = rgb;
    }

    /** Returns a picture of one colour. */
    public static Picture filled(int height, int width, int level) {
        byte[] rgb = new byte[height * width * 3];
        java.util.Arrays.fill(rgb, (byte) level);
        return new Picture(height, width, rgb);
    }

    /** Returns a picture of pixels that hold alpha, red, green, blue from the highest byte on; alpha is dropped. */
    public static Picture fromPixels(int[] pixels, int height, int width) {
        byte[] rgb = new byte[3 * pixels.length];
        for (int i = 0; i < pixels.length; i++) {
            rgb[3 * i] = (byte) (pixels[i] >> 16);
            rgb[3 * i + 1] = (byte) (pixels[i] >> 8);
            rgb[3 * i + 2] = (byte) pixels[i];
        }
        return new Picture(height, width, rgb);
    }

    /** Returns the pixels with alpha, red, green, blue from the highest byte on. */
    public int[] toPixels() {
        int[] pixels = new int[height * width];
        for (int i = 0; i < pixels.length; i++) {
            pixels[i] = 0xff << 24 | (rgb[3 * i] & 0xff) << 16 | (rgb[3 * i + 1] & 0xff) << 8 | rgb[3 * i + 2] & 0xff;
        }
        return pixels;
    }

    /** Returns a channel (0..2) of a pixel, 0..255. */
    public int at(int row, int column, int channel) {
        return rgb[(row * width + column) * 3 + channel] & 0xff;
    }
}

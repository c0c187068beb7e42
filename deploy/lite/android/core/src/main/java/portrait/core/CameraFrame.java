package portrait.core;

import java.nio.ByteBuffer;

/** A camera's YUV 4:2:0 planes as an upright picture. */
public final class CameraFrame {
    private CameraFrame() {}

    /**
     * Converts the planes of a frame (full-range BT.601, as Android's cameras give them).
     *
     * @param planes luma, blue and red difference
     * @param rowSteps bytes from row to row of each plane
     * @param pixelSteps bytes from pixel to pixel of each plane
     * @param turn by how many degrees clockwise the frame must be turned: 0, 90, 180, 270
     */
    public static Picture toPicture(
            ByteBuffer[] planes, int[] rowSteps, int[] pixelSteps, int height, int width, int turn) {
        boolean lying = turn % 180 != 0;
        int newHeight = lying ? width : height;
        int newWidth = lying ? height : width;
        byte[] rgb = new byte[height * width * 3];
        for (int row = 0; row < height; row++) {
            for (int column = 0; column < width; column++) {
                int y = planes[0].get(row * rowSteps[0] + column * pixelSteps[0]) & 0xff;
                int u = (planes[1].get(row / 2 * rowSteps[1] + column / 2 * pixelSteps[1]) & 0xff) - 128;
                int v = (planes[2].get(row / 2 * rowSteps[2] + column / 2 * pixelSteps[2]) & 0xff) - 128;
                int at = 3 * place(row, column, height, width, turn, newWidth);
                rgb[at] = level(y + 1.402f * v);
                rgb[at + 1] = level(y - 0.344136f * u - 0.714136f * v);
                rgb[at + 2] = level(y + 1.772f * u);
            }
        }
        return new Picture(newHeight, newWidth, rgb);
    }

    private static int place(int row, int column, int height, int width, int turn, int newWidth) {
        switch (turn) {
            case 90:
                return column * newWidth + (height - 1 - row);
            case 180:
                return (height - 1 - row) * newWidth + (width - 1 - column);
            case 270:
                return (width - 1 - column) * newWidth + row;
            default:
                return row * newWidth + column;
        }
    }

    private static byte level(float value) {
        return (byte) Math.max(0, Math.min(255, Math.round(value)));
    }
}

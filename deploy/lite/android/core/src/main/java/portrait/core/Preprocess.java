package portrait.core;

import java.util.List;
import java.util.Map;

/** From a picture to the network's input, as deploy.json describes it. */
final class Preprocess {
    /** A network's input and the way back. */
    static final class Result {
        final float[] values;
        final int[] shape;
        final Geometry geometry;

        Result(float[] values, int[] shape, Geometry geometry) {
            this.values = values;
            this.shape = shape;
            this.geometry = geometry;
        }
    }

    private final List<Object> steps;
    private final String colour;
    private final float[][] tables;

    Preprocess(Map<String, Object> description) {
        steps = Deploy.list(description, "steps");
        colour = String.valueOf(description.get("colour"));
        int channels = colour.equals("gray") ? 1 : 3;
        tables = new float[channels][];
        List<Object> mean = Deploy.list(description, "mean");
        List<Object> std = Deploy.list(description, "std");
        for (int channel = 0; channel < channels; channel++) {
            tables[channel] = table(Deploy.number(description, "scale"), pick(mean, channel), pick(std, channel));
        }
    }

    private static double pick(List<Object> values, int channel) {
        return (Double) values.get(values.size() > 1 ? channel : 0);
    }

    /** Returns the value of each of the 256 levels, rounded where the trained network's preprocessing rounds. */
    private static float[] table(double scale, double mean, double std) {
        float[] table = new float[256];
        float most = (float) (1 / scale);
        for (int level = 0; level < 256; level++) {
            table[level] = (float) ((float) (level / most - mean) / std);
        }
        return table;
    }

    Result apply(Picture picture) {
        Geometry geometry = new Geometry();
        Picture fitted = picture;
        for (Object step : steps) {
            fitted = apply(Deploy.map(step), fitted, geometry);
        }
        return new Result(tensor(fitted), new int[] {1, tables.length, fitted.height, fitted.width}, geometry);
    }

    private static Picture apply(Map<String, Object> step, Picture picture, Geometry geometry) {
        String type = String.valueOf(step.get("type"));
        switch (type) {
            case "Resize":
                return resize(step, picture, geometry);
            case "ResizeByLong":
                double longSize = Deploy.number(step, "long_size");
                return scaleBy(longSize / Math.max(picture.height, picture.width), picture, geometry);
            case "ResizeByShort":
                return resizeByShort(step, picture, geometry);
            case "LimitLong":
                return limitLong(step, picture, geometry);
            case "Padding":
                List<Object> target = Deploy.list(step, "target_size");
                int width = ((Double) target.get(0)).intValue();
                return border(step, picture, ((Double) target.get(1)).intValue(), width, geometry);
            case "PaddingByAspectRatio":
                double ratio = Deploy.number(step, "aspect_ratio");
                boolean wide = (double) picture.width / picture.height > ratio;
                int high = wide ? Math.max(picture.height, (int) (picture.width / ratio)) : picture.height;
                int broad = wide ? picture.width : Math.max(picture.width, (int) (picture.height * ratio));
                return border(step, picture, high, broad, geometry);
            default:
                throw new IllegalArgumentException("deploy.json asks for " + type + ", which this program does not know");
        }
    }

    private static Picture resize(Map<String, Object> step, Picture picture, Geometry geometry) {
        if (!"LINEAR".equals(step.get("interp"))) {
            throw new IllegalArgumentException("this program scales LINEAR, not " + step.get("interp"));
        }
        List<Object> target = Deploy.list(step, "target_size");
        int width = ((Double) target.get(0)).intValue();
        int height = ((Double) target.get(1)).intValue();
        if (Boolean.TRUE.equals(step.get("keep_ratio"))) {
            double toLong = (double) Math.max(width, height) / Math.max(picture.height, picture.width);
            double toShort = (double) Math.min(width, height) / Math.min(picture.height, picture.width);
            double scale = Math.min(toLong, toShort);
            height = scaled(picture.height, scale);
            width = scaled(picture.width, scale);
        }
        if (step.get("size_divisor") != null) {
            int divisor = (int) Deploy.number(step, "size_divisor");
            height = (height + divisor - 1) / divisor * divisor;
            width = (width + divisor - 1) / divisor * divisor;
        }
        geometry.scaledFrom(picture.height, picture.width);
        return Bilinear.scale(picture, height, width);
    }

    private static Picture resizeByShort(Map<String, Object> step, Picture picture, Geometry geometry) {
        double wanted = Deploy.number(step, "short_size");
        int shorter = Math.min(picture.height, picture.width);
        int longer = Math.max(picture.height, picture.width);
        double most = Deploy.number(step, "max_size");
        if (wanted / shorter * longer > most) {
            wanted = Math.max(1, (int) (most / longer * shorter));
        }
        return scaleBy(wanted / shorter, picture, geometry);
    }

    private static Picture limitLong(Map<String, Object> step, Picture picture, Geometry geometry) {
        int side = Math.max(picture.height, picture.width);
        int wanted = side;
        if (step.get("min_long") != null) {
            wanted = Math.max(wanted, (int) Deploy.number(step, "min_long"));
        }
        if (step.get("max_long") != null) {
            wanted = Math.min(wanted, (int) Deploy.number(step, "max_long"));
        }
        return wanted == side ? picture : scaleBy((double) wanted / side, picture, geometry);
    }

    private static Picture scaleBy(double scale, Picture picture, Geometry geometry) {
        geometry.scaledFrom(picture.height, picture.width);
        return Bilinear.scale(picture, scaled(picture.height, scale), scaled(picture.width, scale));
    }

    private static int scaled(int side, double scale) {
        return Math.max(1, (int) Math.rint(side * scale));
    }

    private static Picture border(
            Map<String, Object> step, Picture picture, int height, int width, Geometry geometry) {
        if (picture.height > height || picture.width > width) {
            throw new IllegalArgumentException("the picture is larger than the frame that it is to be put into");
        }
        geometry.borderedFrom(picture.height, picture.width);
        Picture framed = Picture.filled(height, width, (int) Math.rint(Deploy.number(step, "im_padding_value")));
        for (int row = 0; row < picture.height; row++) {
            System.arraycopy(picture.rgb, row * picture.width * 3, framed.rgb, row * width * 3, picture.width * 3);
        }
        return framed;
    }

    private float[] tensor(Picture picture) {
        int pixels = picture.height * picture.width;
        float[] values = new float[tables.length * pixels];
        for (int i = 0; i < pixels; i++) {
            int red = picture.rgb[3 * i] & 0xff;
            int green = picture.rgb[3 * i + 1] & 0xff;
            int blue = picture.rgb[3 * i + 2] & 0xff;
            if (tables.length == 1) { // OpenCV's weights, in 15 bits
                values[i] = tables[0][(red * 9798 + green * 19235 + blue * 3735 + (1 << 14)) >> 15];
                continue;
            }
            boolean turned = colour.equals("bgr");
            values[i] = tables[0][turned ? blue : red];
            values[pixels + i] = tables[1][green];
            values[2 * pixels + i] = tables[2][turned ? red : blue];
        }
        return values;
    }
}

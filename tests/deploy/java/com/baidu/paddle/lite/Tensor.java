package com.baidu.paddle.lite;

/** Stand-in for Paddle Lite's class of this name. */
public class Tensor {
    long[] shape;
    float[] values;

    public boolean resize(long[] dimensions) {
        shape = dimensions.clone();
        return true;
    }

    public boolean setData(float[] data) {
        values = data.clone();
        return true;
    }

    public float[] getFloatData() {
        return values.clone();
    }

    public int[] getIntData() {
        int[] whole = new int[values.length];
        for (int i = 0; i < whole.length; i++) {
            whole[i] = (int) values[i];
        }
        return whole;
    }

    public long[] shape() {
        return shape.clone();
    }
}

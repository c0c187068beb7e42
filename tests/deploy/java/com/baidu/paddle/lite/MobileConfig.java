package com.baidu.paddle.lite;

/** Stand-in for Paddle Lite's class of this name, with the calls that the application makes. */
public class MobileConfig {
    String model;

    public void setModelFromFile(String path) {
        model = path;
    }

    public void setThreads(int count) {}

    public void setPowerMode(PowerMode mode) {}
}

package com.baidu.paddle.lite;

/** Stand-in for Paddle Lite's class of this name. */
public enum PowerMode {
    LITE_POWER_HIGH
}

package portrait.app;

import android.annotation.SuppressLint;
import android.content.Context;
import android.graphics.ImageFormat;
import android.hardware.camera2.CameraAccessException;
import android.hardware.camera2.CameraCaptureSession;
import android.hardware.camera2.CameraCharacteristics;
import android.hardware.camera2.CameraDevice;
import android.hardware.camera2.CameraManager;
import android.hardware.camera2.CaptureRequest;
import android.media.Image;
import android.media.ImageReader;
import android.os.Handler;
import android.os.HandlerThread;
import android.os.Looper;
import android.util.Log;
import java.nio.ByteBuffer;
import java.util.Collections;
import portrait.core.CameraFrame;
import portrait.core.Picture;

/**
 * The front camera; gives upright pictures one after the other, and drops those that come while one is worked on.
 *
 * <p>Its state belongs to the main thread: open() and close() are called there, and the device and its session answer
 * there. The reader belongs to the camera's thread, which takes pictures from it and closes it, so that neither happens
 * during the other.
 */
final class Camera {
    /** Takes a picture, on the camera's thread. */
    interface Listener {
        void onPicture(Picture picture);
    }

    private static final String TAG = "Portrait";
    private static final int WIDTH = 640;
    private static final int HEIGHT = 480;

    private final CameraManager manager;
    private final Listener listener;
    private final Handler main = new Handler(Looper.getMainLooper());
    private HandlerThread thread;
    private Handler handler;
    private ImageReader reader;
    private CameraDevice device;
    private Opened awaited;
    private volatile int turn;

    Camera(Context context, Listener listener) {
        manager = (CameraManager) context.getSystemService(Context.CAMERA_SERVICE);
        this.listener = listener;
    }

    /** Opens the camera; the permission must have been granted. */
    @SuppressLint("MissingPermission")
    void open() throws CameraAccessException {
        thread = new HandlerThread("camera");
        thread.start();
        handler = new Handler(thread.getLooper());
        String chosen = manager.getCameraIdList()[0];
        for (String id : manager.getCameraIdList()) {
            Integer facing = manager.getCameraCharacteristics(id).get(CameraCharacteristics.LENS_FACING);
            if (facing != null && facing == CameraCharacteristics.LENS_FACING_FRONT) {
                chosen = id;
                break;
            }
        }
        Integer orientation = manager.getCameraCharacteristics(chosen).get(CameraCharacteristics.SENSOR_ORIENTATION);
        turn = orientation == null ? 0 : orientation;
        reader = ImageReader.newInstance(WIDTH, HEIGHT, ImageFormat.YUV_420_888, 2);
        reader.setOnImageAvailableListener(this::read, handler);
        awaited = new Opened(reader);
        manager.openCamera(chosen, awaited, main);
    }

    void close() {
        awaited = null;
        if (device != null) {
            device.close();
            device = null;
        }
        if (reader != null) {
            ImageReader last = reader;
            handler.post(() -> {
                last.setOnImageAvailableListener(null, null);
                last.close();
            });
            reader = null;
        }
        if (thread != null) {
            thread.quitSafely(); // what was posted is done first
            thread = null;
        }
    }

    private void read(ImageReader source) {
        try (Image image = source.acquireLatestImage()) {
            if (image == null) {
                return;
            }
            Image.Plane[] planes = image.getPlanes();
            ByteBuffer[] buffers = new ByteBuffer[3];
            int[] rowSteps = new int[3];
            int[] pixelSteps = new int[3];
            for (int i = 0; i < 3; i++) {
                buffers[i] = planes[i].getBuffer();
                rowSteps[i] = planes[i].getRowStride();
                pixelSteps[i] = planes[i].getPixelStride();
            }
            listener.onPicture(
                    CameraFrame.toPicture(buffers, rowSteps, pixelSteps, image.getHeight(), image.getWidth(), turn));
        }
    }

    /** Starts the stream of pictures as soon as the camera is there. */
    private final class Opened extends CameraDevice.StateCallback {
        private final ImageReader target;

        Opened(ImageReader target) {
            this.target = target;
        }

        @Override
        public void onOpened(CameraDevice opened) {
            if (awaited != this) { // closed in the meantime: nobody else would close the device
                opened.close();
                return;
            }
            device = opened;
            try {
                CaptureRequest.Builder request = opened.createCaptureRequest(CameraDevice.TEMPLATE_PREVIEW);
                request.addTarget(target.getSurface());
                opened.createCaptureSession(
                        Collections.singletonList(target.getSurface()), new Streaming(opened, request.build()), main);
            } catch (CameraAccessException error) {
                Log.e(TAG, "camera", error);
            }
        }

        @Override
        public void onDisconnected(CameraDevice lost) {
            forget(lost);
        }

        @Override
        public void onError(CameraDevice failed, int code) {
            Log.e(TAG, "camera: error " + code);
            forget(failed);
        }

        private void forget(CameraDevice gone) {
            gone.close();
            if (device == gone) {
                device = null;
            }
        }
    }

    /** Repeats the request for pictures. */
    private final class Streaming extends CameraCaptureSession.StateCallback {
        private final CameraDevice source;
        private final CaptureRequest request;

        Streaming(CameraDevice source, CaptureRequest request) {
            this.source = source;
            this.request = request;
        }

        @Override
        public void onConfigured(CameraCaptureSession session) {
            if (device != source) { // closed in the meantime, and the session with it
                return;
            }
            try {
                session.setRepeatingRequest(request, null, null);
            } catch (CameraAccessException | IllegalStateException error) { // lost, which onDisconnected tells later
                Log.e(TAG, "camera", error);
            }
        }

        @Override
        public void onConfigureFailed(CameraCaptureSession session) {
            Log.e(TAG, "camera: no stream");
        }
    }
}

package portrait.app;

import android.Manifest;
import android.app.Activity;
import android.content.ContentValues;
import android.content.pm.PackageManager;
import android.graphics.Bitmap;
import android.graphics.BitmapFactory;
import android.hardware.camera2.CameraAccessException;
import android.net.Uri;
import android.os.Build;
import android.os.Bundle;
import android.provider.MediaStore;
import android.view.Gravity;
import android.widget.FrameLayout;
import android.widget.ImageView;
import android.widget.SeekBar;
import android.widget.Toast;
import java.io.ByteArrayOutputStream;
import java.io.File;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.util.Arrays;
import portrait.core.Deploy;
import portrait.core.Filter;
import portrait.core.Picture;
import portrait.core.Segmenter;

/** The camera with another background: a tap changes the filter, the slider the threshold, a long press saves. */
public final class MainActivity extends Activity {
    private static final int THREADS = 2;
    private static final int ASKED_FOR_CAMERA = 0;
    private static final int ASKED_FOR_GALLERY = 1;

    private Camera camera;
    private ImageView view;
    private Segmenter segmenter;
    private Picture background;
    private volatile Filter filter = Filter.BLUR;
    private volatile float threshold = 0.5f;
    private volatile Bitmap shown;

    @Override
    protected void onCreate(Bundle state) {
        super.onCreate(state);
        camera = new Camera(this, this::show);
        view = new ImageView(this);
        view.setOnClickListener(touched -> {
            filter = filter.next();
            say(filter.name());
        });
        view.setOnLongClickListener(touched -> save());
        FrameLayout layout = new FrameLayout(this);
        layout.addView(view);
        layout.addView(slider(), new FrameLayout.LayoutParams(
                FrameLayout.LayoutParams.MATCH_PARENT, FrameLayout.LayoutParams.WRAP_CONTENT, Gravity.BOTTOM));
        setContentView(layout);
        try {
            Deploy deploy = Deploy.parse(new String(asset("deploy.json"), "UTF-8"));
            segmenter = new Segmenter(deploy, new LiteRunner(modelFile(), THREADS, deploy.outputOp));
            if (Arrays.asList(getAssets().list("")).contains("background.jpg")) {
                byte[] picture = asset("background.jpg");
                background = picture(BitmapFactory.decodeByteArray(picture, 0, picture.length));
            }
        } catch (IOException | RuntimeException error) {
            say("The model cannot be loaded: " + error.getMessage());
        }
    }

    @Override
    protected void onResume() {
        super.onResume();
        if (checkSelfPermission(Manifest.permission.CAMERA) != PackageManager.PERMISSION_GRANTED) {
            requestPermissions(new String[] {Manifest.permission.CAMERA}, ASKED_FOR_CAMERA);
            return;
        }
        try {
            camera.open();
        } catch (CameraAccessException error) {
            say("The camera cannot be opened: " + error.getMessage());
        }
    }

    @Override
    public void onRequestPermissionsResult(int request, String[] permissions, int[] granted) {
        super.onRequestPermissionsResult(request, permissions, granted);
        boolean allowed = granted.length > 0 && granted[0] == PackageManager.PERMISSION_GRANTED;
        if (request == ASKED_FOR_GALLERY) {
            say(allowed ? "Press long again to save." : "Not saved: the gallery may not be written to.");
        } else if (!allowed) {
            say("Without the camera there is nothing to show.");
        }
    }

    @Override
    protected void onPause() {
        camera.close();
        super.onPause();
    }

    private SeekBar slider() {
        SeekBar slider = new SeekBar(this);
        slider.setMax(100);
        slider.setProgress(50);
        slider.setOnSeekBarChangeListener(new SeekBar.OnSeekBarChangeListener() {
            @Override
            public void onProgressChanged(SeekBar bar, int progress, boolean byHand) {
                threshold = progress / 100f;
            }

            @Override
            public void onStartTrackingTouch(SeekBar bar) {}

            @Override
            public void onStopTrackingTouch(SeekBar bar) {}
        });
        return slider;
    }

    /**
     * Works on a picture of the camera and shows the result; runs on the camera's thread. Synchronized: after a pause
     * the camera has a new thread, while the old one may still be at work.
     */
    private synchronized void show(Picture picture) {
        if (segmenter == null) {
            return;
        }
        Picture result = filter.apply(picture, segmenter.segment(picture), threshold, background);
        Bitmap bitmap = bitmap(result);
        shown = bitmap;
        runOnUiThread(() -> view.setImageBitmap(bitmap));
    }

    private boolean save() {
        Bitmap bitmap = shown;
        if (bitmap == null) {
            return true;
        }
        if (Build.VERSION.SDK_INT < Build.VERSION_CODES.Q // since Android 10 the gallery takes pictures without asking
                && checkSelfPermission(Manifest.permission.WRITE_EXTERNAL_STORAGE)
                        != PackageManager.PERMISSION_GRANTED) {
            requestPermissions(new String[] {Manifest.permission.WRITE_EXTERNAL_STORAGE}, ASKED_FOR_GALLERY);
            return true;
        }
        ContentValues entry = new ContentValues();
        entry.put(MediaStore.Images.Media.DISPLAY_NAME, "portrait_" + System.currentTimeMillis() + ".png");
        entry.put(MediaStore.Images.Media.MIME_TYPE, "image/png");
        try {
            Uri place = getContentResolver().insert(MediaStore.Images.Media.EXTERNAL_CONTENT_URI, entry);
            try (OutputStream stream = place == null ? null : getContentResolver().openOutputStream(place)) {
                boolean saved = stream != null && bitmap.compress(Bitmap.CompressFormat.PNG, 100, stream);
                say(saved ? "Saved" : "Not saved");
            }
        } catch (IOException | RuntimeException error) { // no storage at hand, or a phone that refuses all the same
            say("Not saved: " + error.getMessage());
        }
        return true;
    }

    private void say(String text) {
        runOnUiThread(() -> Toast.makeText(this, text, Toast.LENGTH_SHORT).show());
    }

    /** Paddle Lite reads files only, so the model is copied out of the package. */
    private String modelFile() throws IOException {
        File file = new File(getFilesDir(), "model.nb");
        try (FileOutputStream stream = new FileOutputStream(file)) {
            stream.write(asset("model.nb"));
        }
        return file.getPath();
    }

    private byte[] asset(String name) throws IOException {
        try (InputStream stream = getAssets().open(name)) {
            ByteArrayOutputStream bytes = new ByteArrayOutputStream();
            byte[] buffer = new byte[1 << 16];
            for (int count = stream.read(buffer); count >= 0; count = stream.read(buffer)) {
                bytes.write(buffer, 0, count);
            }
            return bytes.toByteArray();
        }
    }

    private static Picture picture(Bitmap bitmap) {
        int[] pixels = new int[bitmap.getWidth() * bitmap.getHeight()];
        bitmap.getPixels(pixels, 0, bitmap.getWidth(), 0, 0, bitmap.getWidth(), bitmap.getHeight());
        return Picture.fromPixels(pixels, bitmap.getHeight(), bitmap.getWidth());
    }

    private static Bitmap bitmap(Picture picture) {
        return Bitmap.createBitmap(picture.toPixels(), picture.width, picture.height, Bitmap.Config.ARGB_8888);
    }
}

package portrait.check;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.Paths;
import portrait.app.LiteRunner;
import portrait.core.Deploy;
import portrait.core.Filter;
import portrait.core.Picture;
import portrait.core.Segmenter;

/** Runs all of the application but camera and screen on cases: GoldenCheck HEIGHT WIDTH FOLDER... */
public final class GoldenCheck {
    private GoldenCheck() {}

    public static void main(String[] arguments) throws IOException {
        int height = Integer.parseInt(arguments[0]);
        int width = Integer.parseInt(arguments[1]);
        for (int i = 2; i < arguments.length; i++) {
            Path folder = Paths.get(arguments[i]);
            String json = new String(Files.readAllBytes(folder.resolve("deploy.json")), StandardCharsets.UTF_8);
            Deploy deploy = Deploy.parse(json);
            LiteRunner runner = new LiteRunner(folder.resolve("model.nb").toString(), 1, deploy.outputOp);
            Picture picture = new Picture(height, width, Files.readAllBytes(folder.resolve("picture.rgb")));
            Segmenter segmenter = new Segmenter(deploy, runner);
            float[] person = segmenter.segment(picture);
            if (deploy.takesPrior) { // once more, now that there is a frame before
                Path noted = folder.resolve("model.nb.input");
                byte[] first = Files.readAllBytes(noted);
                segmenter.segment(picture);
                Files.copy(noted, folder.resolve("second.input"));
                Files.write(noted, first);
            }
            ByteBuffer bytes = ByteBuffer.allocate(4 * person.length).order(ByteOrder.LITTLE_ENDIAN);
            bytes.asFloatBuffer().put(person);
            Files.write(folder.resolve("person.f32"), bytes.array());
            Filter filter = Filter.NONE;
            for (int tap = 0; tap < Filter.values().length; tap++, filter = filter.next()) {
                Picture shown = filter.apply(picture, person, 0.5f, Picture.filled(height / 2, width / 2, 200));
                Picture kept = Picture.fromPixels(shown.toPixels(), height, width);
                Files.write(folder.resolve(filter.name() + ".rgb"), kept.rgb);
            }
        }
    }
}

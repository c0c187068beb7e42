package portrait.core;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Reads JSON into maps, lists, doubles, strings, booleans and null. Enough for deploy.json, and no library. */
public final class Json {
    private final String text;
    private int position;

    private Json(String text) {
        this.text = text;
    }

    /** Returns what {@code text} holds; throws IllegalArgumentException where it is no JSON. */
    public static Object parse(String text) {
        Json reader = new Json(text);
        Object value = reader.value();
        reader.skipSpace();
        if (reader.position != text.length()) {
            throw reader.fault("something follows the end");
        }
        return value;
    }

    private Object value() {
        skipSpace();
        char first = peek();
        if (first == '{') {
            return object();
        }
        if (first == '[') {
            return array();
        }
        if (first == '"') {
            return string();
        }
        for (Object[] word : new Object[][] {{"true", true}, {"false", false}, {"null", null}}) {
            if (text.startsWith((String) word[0], position)) {
                position += ((String) word[0]).length();
                return word[1];
            }
        }
        return number();
    }

    private Map<String, Object> object() {
        Map<String, Object> entries = new LinkedHashMap<>();
        expect('{');
        skipSpace();
        while (peek() != '}') {
            skipSpace();
            String key = string();
            skipSpace();
            expect(':');
            entries.put(key, value());
            skipSpace();
            if (peek() != '}') {
                expect(',');
            }
        }
        expect('}');
        return entries;
    }

    private List<Object> array() {
        List<Object> items = new ArrayList<>();
        expect('[');
        skipSpace();
        while (peek() != ']') {
            items.add(value());
            skipSpace();
            if (peek() != ']') {
                expect(',');
            }
        }
        expect(']');
        return items;
    }

    private String string() {
        StringBuilder result = new StringBuilder();
        expect('"');
        while (peek() != '"') {
            char next = text.charAt(position++);
            result.append(next == '\\' ? escaped() : next);
        }
        expect('"');
        return result.toString();
    }

    private char escaped() {
        char kind = peek();
        position++;
        if (kind == 'u') {
            position += 4;
            return (char) Integer.parseInt(text.substring(position - 4, position), 16);
        }
        int known = "nrtbf".indexOf(kind);
        return known < 0 ? kind : "\n\r\t\b\f".charAt(known);
    }

    private Double number() {
        int start = position;
        while (position < text.length() && "+-.eE0123456789".indexOf(text.charAt(position)) >= 0) {
            position++;
        }
        if (start == position) {
            throw fault("a value is missing");
        }
        return Double.valueOf(text.substring(start, position));
    }

    private void skipSpace() {
        while (position < text.length() && Character.isWhitespace(text.charAt(position))) {
            position++;
        }
    }

    private char peek() {
        if (position >= text.length()) {
            throw fault("the text ends too early");
        }
        return text.charAt(position);
    }

    private void expect(char wanted) {
        if (peek() != wanted) {
            throw fault("'" + wanted + "' is missing");
        }
        position++;
    }

    private IllegalArgumentException fault(String what) {
        return new IllegalArgumentException("JSON, character " + position + ": " + what);
    }
}

/** What Python hands over (explore.py), unpacked: the frames as the live view has them, and what this room adds. */

import { decode, readCoords, readHeader } from "./decode.js";

const KINDS = {
  index: Int32Array, twin: Int32Array, neighbours: Int32Array, maps: Int16Array, suspicion: Uint8Array,
  thumbs: Uint8Array, handoutBytes: Uint8Array, salHeat: Uint8Array, salPixels: Uint8Array, ownPixels: Uint8Array,
};

/** Returns `old` itself for the same payload. The pictures keep their address as long as they are the same. */
export function unpack(bytes, old) {
  const payload = decode(bytes, old);
  if (payload === old) return old;
  const { header, body } = readHeader(bytes);
  for (const [name, Kind] of Object.entries(KINDS)) {
    const [start, length] = header.sections[name];
    payload[name] = new Kind(bytes.slice(body + start, body + start + length).buffer);
  }
  for (const map of payload.layouts) {
    const size = payload.points * map.dims * map.stops.length;
    map.places = map.own ? null : readCoords(payload.maps.subarray(map.start, map.start + size), map);
  }
  if (old && old.sprite && payload.sprite && old.sprite.digest === payload.sprite.digest) {
    payload.sprite.url = old.sprite.url;
  } else {
    if (old && old.sprite) URL.revokeObjectURL(old.sprite.url);
    if (payload.sprite) payload.sprite.url = URL.createObjectURL(new Blob([payload.thumbs], { type: "image/webp" }));
  }
  return payload;
}

/** The colours of the page that a canvas needs, from the CSS variables that Streamlit sets. */
export function themeOf(root) {
  const style = getComputedStyle(root);
  const [r, g, b] = style.color.match(/[\d.]+/g);
  const probe = (name) => getComputedStyle(root.querySelector(name));
  return {
    text: style.color, edge: `rgba(${r},${g},${b},0.35)`, soft: `rgba(${r},${g},${b},0.6)`, attack: "#D55E00", freed: "#0072B2",
    ground: probe(".dsx-map").backgroundColor,
  };
}

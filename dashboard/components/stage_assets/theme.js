/** Plotly, loaded once per page from our own server, and the page's colours in it. */

export function loadPlotly(url) {
  if (window.Plotly) return Promise.resolve(window.Plotly);
  if (!window.dissolvePlotly) {
    window.dissolvePlotly = new Promise((resolve, reject) => {
      const script = document.createElement("script");
      script.src = url;
      script.onload = () => (window.Plotly ? resolve(window.Plotly) : reject(new Error("plotly.js did not start")));
      script.onerror = () => {
        script.remove();
        window.dissolvePlotly = null; // so that a later update may try again
        reject(new Error("plotly.js could not be loaded"));
      };
      document.head.append(script);
    });
  }
  return window.dissolvePlotly;
}

/** What the plots need of the page's theme, from the CSS variables that Streamlit sets. */
export function readTheme(root) {
  const style = getComputedStyle(root);
  const ground = getComputedStyle(root.querySelector(".dsv-empty")).backgroundColor;
  const [r, g, b] = style.color.match(/[\d.]+/g);
  return {
    ground, text: style.color, font: style.fontFamily, small: parseFloat(style.getPropertyValue("--dsv-small-px")) || 13,
    edge: `rgba(${r},${g},${b},0.35)`, // a hairline that keeps pale points visible on white and dark ones on black
    lines: ["dissolved", "ba", "asr"].map((name) => getComputedStyle(root.querySelector(`.dsv-line-${name}`)).stroke),
  };
}

/** A layout from Python in the page's colours and type. */
export function themed(layout, theme) {
  const font = { color: theme.text, family: theme.font, size: theme.small };
  const title = layout.xaxis && layout.xaxis.title && { xaxis: { ...layout.xaxis, title: { ...layout.xaxis.title, font } } };
  return { ...layout, ...title, autosize: true, font };
}

/** "#RRGGBB" with an alpha, as plotly.js reads it. */
export function withAlpha(hex, alpha) {
  const part = (k) => parseInt(hex.slice(k, k + 2), 16);
  return `rgba(${part(1)},${part(3)},${part(5)},${alpha})`;
}

/** "#RRGGBB" thinned with the opaque ground "rgb(r, g, b)": for a scene that cannot draw see-through points. */
export function mixed(hex, ground, share) {
  const under = ground.match(/[\d.]+/g).map(Number);
  const part = (k) => Math.round(share * parseInt(hex.slice(1 + 2 * k, 3 + 2 * k), 16) + (1 - share) * under[k]);
  return `rgb(${part(0)},${part(1)},${part(2)})`;
}

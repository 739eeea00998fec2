// Opens a page in headless Chromium, in light and in dark, and prints what it saw as JSON.
import chromium from "@sparticuz/chromium";
import puppeteer from "puppeteer-core";
import { pathToFileURL } from "node:url";

const [page_path, shot] = process.argv.slice(2);
const browser = await puppeteer.launch({
  args: [...chromium.args, "--no-sandbox"],
  executablePath: await chromium.executablePath(),
  headless: "shell",
});
const seen = { errors: [], requests: [], schemes: {} };
try {
  for (const scheme of ["light", "dark"]) {
    const page = await browser.newPage();
    await page.setViewport({ width: 1000, height: 900 });
    await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: scheme }]);
    page.on("console", (m) => ["error", "warn"].includes(m.type()) && seen.errors.push(m.text()));
    page.on("pageerror", (e) => seen.errors.push(String(e)));
    page.on("request", (r) => seen.requests.push(r.url()));
    await page.goto(pathToFileURL(page_path).href, { waitUntil: "load" });
    seen.schemes[scheme] = await page.evaluate(() => {
      const style = getComputedStyle(document.body);
      return {
        back: style.backgroundColor,
        fore: style.color,
        wide: document.documentElement.scrollWidth > innerWidth,
        sections: [...document.querySelectorAll("section")].map((section) => ({
          id: section.id,
          title: section.querySelector("h2").textContent,
          height: section.getBoundingClientRect().height,
        })),
        plots: [...document.querySelectorAll("svg")].map((svg) => {
          const box = svg.getBoundingClientRect();
          const inside = [...svg.querySelectorAll("text")].every((text) => {
            const own = text.getBoundingClientRect();
            return own.left >= box.left - 2 && own.right <= box.right + 2;
          });
          return { height: box.height, inside };
        }),
      };
    });
    if (shot) await page.screenshot({ path: `${shot}-${scheme}.png`, fullPage: true });
    await page.close();
  }
} finally {
  await browser.close();
}
console.log(JSON.stringify(seen));

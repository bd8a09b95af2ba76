import type { Browser, Page } from 'playwright-core'

/** How a zoom went: frames that the browser gave, by their times. */
export interface ZoomFigures {
  framesPerSecond: number
  worstFrameMs: number
}

/** Opens a page with nothing in its cache, lets `look` use it, and closes it. Fails if the page's own code failed. */
export async function visit<T>(
  browser: Browser,
  url: URL,
  look: (page: Page) => Promise<T>,
): Promise<T> {
  const context = await browser.newContext({ viewport: { width: 1_200, height: 900 } })
  const page = await context.newPage()
  const crashes: string[] = []
  page.on('pageerror', ({ message }) => crashes.push(message))
  try {
    await page.goto(url.href, { waitUntil: 'commit' })
    const answer = await look(page)
    if (crashes.length > 0) throw new Error(`The page failed: ${crashes.join('; ')}`)
    return answer
  } finally {
    await context.close()
  }
}

/** From the beginning of the navigation until the frame behind the one in which all of the window is drawn, in ms of the page's own clock. */
export function drawnAfterMs(page: Page): Promise<number> {
  return page.evaluate<number>(WHEN_DRAWN)
}

// What runs in the page is text: its types are not those of a process.
const WHEN_DRAWN = `new Promise((resolve) => {
  const look = () => {
    const isDrawn = document.querySelector('.chart-area[aria-busy=false] canvas') !== null
    requestAnimationFrame(isDrawn ? () => resolve(performance.now()) : look)
  }
  look()
})`

/** Turns the wheel once a frame, so that the window is `factor` times as short after so many frames; below 1: longer. */
export async function zoom(page: Page, factor: number, frames: number): Promise<ZoomFigures> {
  // As ui/chart-gestures.ts has it: 400 pixels are a factor of two.
  const deltaY = (-400 * Math.log2(factor)) / frames
  const times = await page.evaluate<number[]>(turnWheel(deltaY, frames))
  const lasted = times.slice(1).map((time, place) => time - (times[place] ?? time))
  const sum = lasted.reduce((all, one) => all + one, 0)
  return { framesPerSecond: (1_000 * lasted.length) / sum, worstFrameMs: Math.max(...lasted) }
}

/** Answers the times of the frames. */
const turnWheel = (deltaY: number, frames: number) => `new Promise((resolve) => {
  const over = document.querySelector('.u-over')
  const { left, top, width, height } = over.getBoundingClientRect()
  const wheel = { deltaY: ${deltaY}, ctrlKey: true, clientX: left + width / 2, clientY: top + height / 2, cancelable: true }
  const times = []
  const step = (nowMs) => {
    times.push(nowMs)
    if (times.length > ${frames}) return resolve(times)
    over.dispatchEvent(new WheelEvent('wheel', wheel))
    requestAnimationFrame(step)
  }
  requestAnimationFrame(step)
})`

import chromium from '@sparticuz/chromium'
import { type Browser, type Page, chromium as playwright } from 'playwright-core'

const DRAWN = '.chart-area[aria-busy=false] canvas'

/** How a zoom went: frames that the browser gave, by their times. */
export interface ZoomFigures {
  framesPerSecond: number
  worstFrameMs: number
}

/** Chromium from npm, or the one that CHROMIUM_PATH names. */
export const startBrowser = async (): Promise<Browser> =>
  playwright.launch({
    executablePath: process.env.CHROMIUM_PATH ?? (await chromium.executablePath()),
    headless: true,
    args: ['--no-sandbox', '--disable-dev-shm-usage', '--disable-background-networking'],
  })

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

/** From the beginning of the navigation until the frame in which all of the window is drawn, in ms of the page's own clock. */
export async function drawnAfterMs(page: Page): Promise<number> {
  const handle = await page.waitForFunction(
    (selector) => (document.querySelector(selector) ? performance.now() : 0),
    DRAWN,
    { polling: 'raf' },
  )
  return handle.jsonValue()
}

/** Turns the wheel once a frame, so that the window is `factor` times as short after so many frames; below 1: longer. */
export const zoom = (page: Page, factor: number, frames: number): Promise<ZoomFigures> =>
  page.evaluate(
    async ({ deltaY, count }) => {
      const over = document.querySelector('.u-over')
      if (!over) throw new Error('There is no plot.')
      const { left, top, width, height } = over.getBoundingClientRect()
      const times: number[] = []
      const turn = () =>
        over.dispatchEvent(
          new WheelEvent('wheel', {
            deltaY,
            ctrlKey: true,
            clientX: left + width / 2,
            clientY: top + height / 2,
            cancelable: true,
            bubbles: true,
          }),
        )
      await new Promise<void>((resolve) => {
        const step = (nowMs: number) => {
          times.push(nowMs)
          if (times.length > count) return resolve()
          turn()
          requestAnimationFrame(step)
        }
        requestAnimationFrame(step)
      })
      const lasted = times.slice(1).map((time, place) => time - (times[place] ?? time))
      const sum = lasted.reduce((all, one) => all + one, 0)
      return { framesPerSecond: (1_000 * lasted.length) / sum, worstFrameMs: Math.max(...lasted) }
    },
    // As ui/chart-gestures.ts has it: 400 pixels are a factor of two.
    { deltaY: (-400 * Math.log2(factor)) / frames, count: frames },
  )

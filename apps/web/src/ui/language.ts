/**
 * A Chromium without a system language calls itself `en-US@posix`, which `Intl` refuses, and uPlot asks `Intl` by that name while
 * it loads. Imported before it, this names the language that `Intl` uses anyway.
 */
const isKnown = (language: string): boolean => {
  try {
    return Intl.getCanonicalLocales(language).length === 1
  } catch {
    return false
  }
}

if (!isKnown(navigator.language)) {
  const value = new Intl.NumberFormat().resolvedOptions().locale
  Object.defineProperty(navigator, 'language', { value, configurable: true })
}

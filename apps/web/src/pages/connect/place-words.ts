import type { Place } from '@liquefy/client'

const degrees = new Intl.NumberFormat(undefined, { maximumFractionDigits: 4 })

/** "53.518° N, 9.989° E": to ten metres. */
export const placeWords = ({ latitudeE7, longitudeE7 }: Place): string =>
  `${latitudeWords(latitudeE7 / 1e7)}, ${longitudeWords(longitudeE7 / 1e7)}`

export const latitudeWords = (latitude: number): string =>
  `${degrees.format(Math.abs(latitude))}°${latitude < 0 ? ' S' : latitude > 0 ? ' N' : ''}`

export const longitudeWords = (longitude: number): string =>
  `${degrees.format(Math.abs(longitude))}°${longitude < 0 ? ' W' : longitude > 0 ? ' E' : ''}`

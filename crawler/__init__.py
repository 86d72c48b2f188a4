"""Sites → pages. The only room that fetches; it holds no key. The only room that knows Scrapy."""

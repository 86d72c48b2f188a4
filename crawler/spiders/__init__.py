"""Sites that need code: one file each, named after the site, with one subclass of `SiteSpider`."""
